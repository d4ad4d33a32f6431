import { encodeRetry } from '../protocol/event.ts';
import { createFrame, type Frame } from '../protocol/frame.ts';

export type Range = readonly [min: number, max: number];

/** Ms after which a client shall come back that was turned away: as many as it takes for things to change. */
export const COME_BACK_LATER: Range = [15_000, 60_000];

/** A random integer of a range, both ends included. */
export function randomBetween([min, max]: Range): number {
  return min + Math.floor(Math.random() * (max - min + 1));
}

/** Tells a client when to come back: another time to each, so that they do not come together. */
export function createRetry(range = COME_BACK_LATER): Frame {
  return createFrame(encodeRetry(randomBetween(range)));
}
