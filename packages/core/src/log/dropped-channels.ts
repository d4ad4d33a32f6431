import type { Position } from '../protocol/event-id.ts';

/** Number of names in one generation. Two generations take about 1 MB. */
const GENERATION = 5_000;

/**
 * The newest positions of channels that were dropped from memory. When such a channel is used again, its entries up to
 * that position may be missing.
 *
 * The last 5,000 to 10,000 names have their own position. All names before them share the highest of their positions.
 * So a client with an older id may receive a reset for a channel that has lost no events.
 */
export class DroppedChannels {
  #recent = new Map<string, Position>();
  #older = new Map<string, Position>();
  #newestOfOthers: Position = 0;

  add(name: string, newest: Position): void {
    if (this.#recent.size === GENERATION) {
      // A whole generation is dropped at once: deleting the first entry of a Map gets slower with each deleted entry.
      for (const position of this.#older.values()) {
        this.#newestOfOthers = Math.max(this.#newestOfOthers, position);
      }
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(name, newest);
  }

  /** The newest position of a channel, if its name is stored. */
  find(name: string): Position | undefined {
    return this.#recent.get(name) ?? this.#older.get(name);
  }

  /** The position up to which entries of a channel may be missing. 0: none are missing. */
  newestOf(name: string): Position {
    return this.find(name) ?? this.#newestOfOthers;
  }

  clear(): void {
    this.#recent.clear();
    this.#older.clear();
    this.#newestOfOthers = 0;
  }
}
