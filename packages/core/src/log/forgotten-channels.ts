import type { Position } from '../protocol/event-id.ts';

/** Names in one generation. Two are remembered: together about 1 MB. */
const GENERATION = 5_000;

/**
 * The newest positions of channels that were dropped from memory: when such a channel is used again, its entries up to
 * there may be missing. The last 5,000 to 10,000 names are remembered one by one. The names dropped before share one
 * position, the highest of them: a client with an id from before it gets a reset for a channel that may have lost
 * nothing.
 */
export class ForgottenChannels {
  #recent = new Map<string, Position>();
  #older = new Map<string, Position>();
  #newestOfOthers: Position = 0;

  add(name: string, newest: Position): void {
    if (this.#recent.size === GENERATION) {
      // A generation at a time: to delete the oldest entry of a Map takes longer the more were deleted before it.
      for (const position of this.#older.values()) {
        this.#newestOfOthers = Math.max(this.#newestOfOthers, position);
      }
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(name, newest);
  }

  /** The newest position of a channel, if its name is remembered. */
  find(name: string): Position | undefined {
    return this.#recent.get(name) ?? this.#older.get(name);
  }

  /** Up to here, entries of a channel may have been forgotten. 0: none. */
  newestOf(name: string): Position {
    return this.find(name) ?? this.#newestOfOthers;
  }

  clear(): void {
    this.#recent.clear();
    this.#older.clear();
    this.#newestOfOthers = 0;
  }
}
