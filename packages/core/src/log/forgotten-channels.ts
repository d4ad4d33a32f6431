import type { Position } from '../protocol/event-id.ts';

/** Names that are remembered one by one: about 1 MB. */
const MAX_NAMES = 10_000;

/**
 * The newest positions of channels that were dropped from memory: when such a channel is used again, its entries up to
 * there may be missing. Beyond a bound, the names dropped longest ago share one position, the highest of them. So a
 * channel that never had an event may be taken for one that lost some, but only by a client with an id from before.
 */
export class ForgottenChannels {
  readonly #newest = new Map<string, Position>();
  #newestOfOthers: Position = 0;

  add(name: string, newest: Position): void {
    // Again, it is the one dropped last.
    this.#newest.delete(name);
    this.#newest.set(name, newest);
    if (this.#newest.size <= MAX_NAMES) return;
    const [first] = this.#newest;
    if (first === undefined) return;
    this.#newest.delete(first[0]);
    this.#newestOfOthers = Math.max(this.#newestOfOthers, first[1]);
  }

  /** Up to here, entries of a channel may have been forgotten. 0: none. */
  newestOf(name: string): Position {
    return this.#newest.get(name) ?? this.#newestOfOthers;
  }

  clear(): void {
    this.#newest.clear();
    this.#newestOfOthers = 0;
  }
}
