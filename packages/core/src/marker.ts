import { encode } from './event.ts';
import { createFrame, type Frame } from './frame.ts';

/**
 * Gives a client an id and nothing else. An id needs an event to travel with, be it empty (Firefox ignores it
 * otherwise): one that nobody listens for.
 */
export function createMarker(id: string): Frame {
  return createFrame(encode('', { id, event: 'tidings' }));
}
