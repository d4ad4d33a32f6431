import type { Position } from '../../protocol/event-id.ts';
import type { Entry } from '../entry.ts';

/**
 * Measures how long events take from the call that stores them to their arrival in this process. It measures one event
 * at a time, as a sample.
 */
export class Arrival {
  /** The last measurement, in ms. */
  ms: number | undefined;
  /** An event that was stored and has not arrived. `calledAt`: when the call that stored it began (ms, monotonic). */
  #awaited: { readonly position: Position; readonly calledAt: number } | undefined;
  #latest: readonly Entry[] = [];
  #latestAt = 0;

  arrived(entries: readonly Entry[]): void {
    this.#latest = entries;
    this.#latestAt = performance.now();
    const { position = Number.POSITIVE_INFINITY, calledAt } = this.#awaited ?? { calledAt: 0 };
    if (has(entries, position)) this.ms = this.#latestAt - calledAt;
    // Older events do not arrive any more. The awaited one belongs to an earlier epoch, or to a channel that is not
    // open.
    if (position <= newestOf(entries)) this.#awaited = undefined;
  }

  stored(position: Position, calledAt: number): void {
    // An event may arrive before the call that stores it resolves.
    if (has(this.#latest, position) && this.#latestAt >= calledAt) this.ms = this.#latestAt - calledAt;
    else if (position > newestOf(this.#latest)) this.#awaited = { position, calledAt };
  }
}

function has(entries: readonly Entry[], position: Position): boolean {
  return position <= newestOf(entries) && entries.some(entry => entry.position === position);
}

function newestOf(entries: readonly Entry[]): Position {
  return entries.at(-1)?.position ?? 0;
}
