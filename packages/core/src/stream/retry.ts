import { encodeRetry } from '../protocol/event.ts';
import { createFrame, type Frame } from '../protocol/frame.ts';

export type Range = readonly [min: number, max: number];

/** ms after which a client that was turned away reconnects: long enough for things to change. */
export const RETRY_LATER: Range = [15_000, 60_000];

/** A random integer of a range, both ends included. */
export function randomBetween([min, max]: Range): number {
  return min + Math.floor(Math.random() * (max - min + 1));
}

/** Tells a client when to reconnect: each at another time, so that they do not all reconnect at once. */
export function createRetry(range = RETRY_LATER): Frame {
  return createFrame(encodeRetry(randomBetween(range)));
}
