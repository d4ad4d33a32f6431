import type { Position } from '../protocol/event-id.ts';

/** Maximum number of ranges. The oldest ones are merged. */
const MAX_RANGES = 100;

/** Positions of entries that a broker has lost. No client can resume from them. */
export class LostPositions {
  #ranges: [after: Position, before: Position][] = [];

  /** Adds the positions between `after` and `before`. */
  add(after: Position, before: Position): void {
    this.#ranges.push([after, before]);
    if (this.#ranges.length <= MAX_RANGES) return;
    // Positions between the two oldest ranges then count as lost, too. A client with such an old id receives a reset.
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
