import { encode } from './event.ts';
import { createFrame, type Frame } from './frame.ts';
import type { Reset } from './reset.ts';

/**
 * Gives a client an id and nothing else. An id needs an event to travel with, if only an empty one (Firefox ignores a
 * block without data), so the event has a name that no page listens for.
 */
export function createMarker(id: string): Frame {
  return createFrame(encode('', { id, event: 'tidings' }), 0, true);
}

/** Tells a client what it has missed. Not beside the types, which pages import: those know no Buffer. */
export function createReset(reset: Reset, id: string, event: string): Frame {
  return createFrame(encode(reset, { id, event }), 1, true);
}
