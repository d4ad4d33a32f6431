export type Range = readonly [min: number, max: number];

/** Reconnection time in ms for clients whose requests were refused or whose streams failed. */
export const RETRY_LATER: Range = [15_000, 60_000];

/** Reconnection time in ms for clients whose streams were closed because control messages were lost or ambiguous. */
export const RETRY_AFTER_LOSS: Range = [1_000, 15_000];

/** A random integer of a range, both ends included. Spreads reconnects over time. */
export function randomBetween([min, max]: Range): number {
  return min + Math.floor(Math.random() * (max - min + 1));
}
