import type { Position } from '../protocol/event-id.ts';
import type { Frame } from '../protocol/frame.ts';
import { merge } from './merge.ts';
import type { Reader, Subscription } from './subscription.ts';

interface Part {
  readonly subscription: Subscription;
  next: Position;
  /** To be sent first; `awaited` while the application works at it. */
  snapshot: Frame | 'awaited' | undefined;
}

/** What a stream is to get that is older than its position: states first, then events, all without ids. */
export class Backfill {
  #parts: Part[] = [];
  /** Gives free what the histories keep while a state is awaited. */
  #unpin: (() => void)[] = [];

  get isUnderWay(): boolean {
    return this.#parts.length > 0;
  }

  get isWaiting(): boolean {
    return this.#parts.some(({ snapshot }) => snapshot === 'awaited');
  }

  /**
   * Adds what a subscription has that is older.
   *
   * @param onReady called when nothing is awaited any more.
   * @param onError called when the state cannot be had.
   */
  add(subscription: Subscription, onReady: () => void, onError: (error: unknown) => void): void {
    const { start, channel, snapshot } = subscription;
    const part: Part = { subscription, next: start, snapshot: snapshot && 'awaited' };
    this.#parts.push(part);
    subscription.snapshot = undefined;
    const settle = (frame: Frame) => {
      if (!this.#parts.includes(part)) return;
      part.snapshot = frame;
      if (channel.history.floor > start) {
        throw new Error(`the snapshot of ${channel.name} took longer than its history`);
      }
      if (!this.isWaiting) onReady();
    };
    snapshot?.then(settle).catch(error => {
      if (this.#parts.includes(part)) onError(error);
    });
  }

  /** Keeps what comes meanwhile, and what was to come before, until nothing is awaited. */
  pin(subscriptions: readonly Subscription[], position: Position): void {
    for (const subscription of subscriptions) {
      const { channel, start } = subscription;
      const isOlder = this.#parts.some(part => part.subscription === subscription);
      const pin = { start: isOlder ? start : subscription.from(position) };
      channel.pins.add(pin);
      this.#unpin.push(() => channel.pins.delete(pin));
    }
  }

  unpin(): void {
    for (const unpin of this.#unpin.splice(0)) unpin();
  }

  /** Drops, and returns, the subscriptions of which something has left the history before it was sent. */
  takeLost(position: Position): Subscription[] {
    const lost = this.#parts.filter(({ subscription, next }) => {
      return next < position && Math.max(next, subscription.excused) < subscription.channel.history.floor;
    });
    this.#parts = this.#parts.filter(part => !lost.includes(part));
    return lost.map(({ subscription }) => subscription);
  }

  /** The next write's worth, up to a position; undefined when that was all. */
  take(position: Position, reader: Reader): Frame | undefined {
    for (const part of this.#parts) {
      const { snapshot } = part;
      part.snapshot = undefined;
      if (typeof snapshot === 'object') return snapshot;
    }
    const frame = merge(
      this.#parts,
      part => part.subscription.channel.entryAfter(part.next, position),
      (part, entry) => {
        part.next = entry.position;
        return part.subscription.wants(entry, reader) ? entry.bare : undefined;
      },
    );
    if (frame === undefined) this.#parts = [];
    return frame;
  }

  /** Drops what is not for one of these. */
  keep(subscriptions: readonly Subscription[]): void {
    this.#parts = this.#parts.filter(part => subscriptions.includes(part.subscription));
  }

  clear(): void {
    this.unpin();
    this.#parts = [];
  }
}
