import type { Position } from '../protocol/event-id.ts';

/** Ranges that are known one by one. */
const MAX_RANGES = 100;

/** Positions of entries that a broker has lost: no client can resume from them. */
export class LostPositions {
  #ranges: [after: Position, before: Position][] = [];

  /** Positions between the two were given to entries that are lost. */
  add(after: Position, before: Position): void {
    this.#ranges.push([after, before]);
    if (this.#ranges.length <= MAX_RANGES) return;
    // What is between the oldest two counts as lost, too: a client of then gets a reset.
    const [[start], [, end]] = this.#ranges.splice(0, 2) as [[Position, Position], [Position, Position]];
    this.#ranges.unshift([start, end]);
  }

  has(position: Position): boolean {
    return this.#ranges.some(([after, before]) => after < position && position < before);
  }

  clear(): void {
    this.#ranges = [];
  }
}
