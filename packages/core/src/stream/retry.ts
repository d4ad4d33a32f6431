export type Range = readonly [min: number, max: number];

/** ms after which a client that was turned away reconnects: long enough for things to change. */
export const RETRY_LATER: Range = [15_000, 60_000];

/** ms after which the clients reconnect whose streams were closed because control messages were lost, or unclear. */
export const RETRY_AFTER_LOSS: Range = [1_000, 15_000];

/** A random integer of a range, both ends included: clients that are told to reconnect do not do so all at once. */
export function randomBetween([min, max]: Range): number {
  return min + Math.floor(Math.random() * (max - min + 1));
}
