import type { EventStream } from './event-stream.ts';

/**
 * Whether a handler failed only because its stream closed: it awaited a promise that takes the stream's `signal`, and
 * the promise rejected with an AbortError. This is not an error of the application.
 */
export function isAbortOf(stream: EventStream, error: unknown): boolean {
  return (error as { name?: unknown } | null)?.name === 'AbortError' && stream.signal.aborted;
}
