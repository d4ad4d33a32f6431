import { encode } from './event.ts';
import { createFrame, type Frame } from './frame.ts';
import type { Reset } from './reset.ts';

/** What a marker has besides an id. */
interface MarkerFields {
  /** ms to wait before reconnecting. */
  retry?: number | undefined;
  /** The name of the event. Default: `tidings`, for which no page listens. */
  event?: string | undefined;
}

/**
 * Gives a client an id, a reconnection time, or both, and nothing else. Neither can be sent alone: Firefox ignores an id
 * without data, and openai-python fails at a reconnection time without data. So it is an event with empty data.
 */
export function createMarker(id: string | undefined, { retry, event = 'tidings' }: MarkerFields = {}): Frame {
  return createFrame(encode('', { id, retry, event }), 0, id !== undefined);
}

/** Tells a client what it has missed. Not beside the types, which pages import: those know no Buffer. */
export function createReset(reset: Reset, id: string, event: string): Frame {
  return createFrame(encode(reset, { id, event }), 1, true);
}
