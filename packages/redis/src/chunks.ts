/** Channels that are subscribed to, or read, with one command: more would hold Redis up for too long. */
const TOGETHER = 256;

/** Pieces of a list; one, if it is empty. */
export function chunks<T>(list: readonly T[]): T[][] {
  const pieces: T[][] = [];
  for (let start = 0; start === 0 || start < list.length; start += TOGETHER) {
    pieces.push(list.slice(start, start + TOGETHER));
  }
  return pieces;
}
