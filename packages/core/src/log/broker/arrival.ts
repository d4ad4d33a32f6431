import type { Position } from '../../protocol/event-id.ts';
import type { Entry } from '../entry.ts';

/** Measures how long events take from the call that stores them until they arrive here. One at a time: a sample. */
export class Arrival {
  /** ms, as measured last. */
  ms: number | undefined;
  /** An event that was stored and has not arrived, and when its call began (ms, monotonic). */
  #awaited: { readonly position: Position; readonly calledAt: number } | undefined;
  #latest: readonly Entry[] = [];
  #latestAt = 0;

  arrived(entries: readonly Entry[]): void {
    this.#latest = entries;
    this.#latestAt = performance.now();
    const { position = Number.POSITIVE_INFINITY, calledAt } = this.#awaited ?? { calledAt: 0 };
    if (has(entries, position)) this.ms = this.#latestAt - calledAt;
    // Nothing older arrives any more: it is of a channel that is not open here, or of an earlier epoch.
    if (position <= newestOf(entries)) this.#awaited = undefined;
  }

  stored(position: Position, calledAt: number): void {
    // It may arrive before the result of its call.
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
