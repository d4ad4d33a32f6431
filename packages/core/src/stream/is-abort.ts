import type { EventStream } from './event-stream.ts';

/**
 * Whether a handler has failed only because its stream closed: it awaited something with the stream's `signal`, and that
 * rejected with an AbortError. Not an error of the application.
 */
export function isAbortOf(stream: EventStream, error: unknown): boolean {
  return (error as { name?: unknown } | null)?.name === 'AbortError' && stream.signal.aborted;
}
