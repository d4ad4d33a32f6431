import { encode } from './event.ts';
import { createFrame, type Frame } from './frame.ts';
import type { Reset } from './reset.ts';

/** The fields of a marker besides its id. */
interface MarkerFields {
  /** ms to wait before reconnecting. */
  retry?: number | undefined;
  /** The name of the event. Default: `tidings`, which pages do not listen for. */
  event?: string | undefined;
}

/**
 * Creates an event with empty data that sets a client's id, its reconnection time, or both. The empty data is needed:
 * Firefox ignores an id without data, and openai-python fails at a reconnection time without data.
 */
export function createMarker(id: string | undefined, { retry, event = 'tidings' }: MarkerFields = {}): Frame {
  return createFrame(encode('', { id, retry, event }), 0, id !== undefined);
}

/** Creates a `reset` event. It is not in reset.ts, because pages import the types of that file and have no Buffer. */
export function createReset(reset: Reset, id: string, event: string): Frame {
  return createFrame(encode(reset, { id, event }), 1, true);
}
