import type { LogEntry } from '../../log/entry.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { Frame } from '../../protocol/frame.ts';
import type { Subscriber, Subscription } from '../subscriptions/subscription.ts';
import { type Merged, type MergeSource, merge } from './merge.ts';

/** What a backfill calls: the delivery of its stream. */
export interface SnapshotListener {
  snapshotArrived(): void;
  /** The application did not give a snapshot. */
  fail(error: unknown): void;
}

/** What one subscription has that is older than the stream's position. */
class Part implements MergeSource {
  readonly subscription: Subscription;
  /** Sent before the entries. `pending` until the application has given it. */
  snapshot: Frame | 'pending' | undefined;
  /** Entries after it are next. */
  offset: Position;
  readonly #upTo: Position;
  readonly #subscriber: Subscriber;

  constructor(subscription: Subscription, upTo: Position, subscriber: Subscriber) {
    this.subscription = subscription;
    this.snapshot = subscription.snapshot && 'pending';
    this.offset = subscription.start;
    this.#upTo = upTo;
    this.#subscriber = subscriber;
  }

  get hasGap(): boolean {
    const { channel, lossReportedUpTo } = this.subscription;
    const isMissing = Math.max(this.offset, lossReportedUpTo) < channel.history.trimmedUpTo;
    return isMissing && this.offset < this.#upTo && channel.reportsLoss;
  }

  peek(): LogEntry | undefined {
    return this.subscription.channel.entryAfter(this.offset, this.#upTo);
  }

  take(entry: LogEntry): Frame | undefined {
    this.offset = entry.position;
    // A filter may have cancelled it.
    if (this.subscription.isCancelled) return undefined;
    return this.subscription.accepts(entry, this.#subscriber) ? entry.withoutId : undefined;
  }
}

/**
 * What a stream receives that is older than its position: snapshots first, then events, all without ids, since their
 * positions are not ascending with what the client may have received before.
 */
export class Backfill {
  #parts: Part[] = [];

  get isActive(): boolean {
    return this.#parts.length > 0;
  }

  /** A snapshot is pending: nothing is sent before it. */
  get isWaiting(): boolean {
    return this.#parts.some(({ snapshot }) => snapshot === 'pending');
  }

  /** Adds the older entries of a subscription, up to a position, and its snapshot. */
  add(subscription: Subscription, upTo: Position, subscriber: Subscriber, listener: SnapshotListener): void {
    const { snapshot, channel, start } = subscription;
    const part = new Part(subscription, upTo, subscriber);
    this.#parts = [...this.#parts, part];
    subscription.snapshot = undefined;
    const settle = (frame: Frame) => {
      if (!this.#parts.includes(part)) return;
      part.snapshot = frame;
      if (channel.history.trimmedUpTo > start) {
        throw new Error(`the snapshot of ${channel.name} took longer than its history retains`);
      }
      if (!this.isWaiting) listener.snapshotArrived();
    };
    snapshot?.then(settle).catch(error => {
      if (this.#parts.includes(part)) listener.fail(error);
    });
  }

  /** The position after which a subscription needs entries; undefined if it has no part in this. */
  startOf(subscription: Subscription): Position | undefined {
    return this.#parts.find(part => part.subscription === subscription)?.subscription.start;
  }

  /** Removes, and returns, the subscriptions whose entries were trimmed before they could be sent. */
  removeGaps(): Subscription[] {
    const lost = this.#parts.filter(part => part.hasGap);
    if (lost.length > 0) this.#parts = this.#parts.filter(part => !lost.includes(part));
    return lost.map(({ subscription }) => subscription);
  }

  /** The next write's worth. When nothing is left, the backfill is no longer active. */
  take(): Merged {
    for (const part of this.#parts) {
      const { snapshot } = part;
      part.snapshot = undefined;
      if (typeof snapshot === 'object') return { frame: snapshot, isComplete: false, isTurnSpent: false };
    }
    const parts = this.#parts;
    const merged = merge(parts);
    if (merged.isComplete && merged.frame === undefined) {
      // A filter may have subscribed to more meanwhile.
      this.#parts = this.#parts.filter(part => !parts.includes(part));
    }
    return merged;
  }

  /** Drops the parts of subscriptions that were cancelled. */
  keep(subscriptions: readonly Subscription[]): void {
    this.#parts = this.#parts.filter(part => subscriptions.includes(part.subscription));
  }

  clear(): void {
    this.#parts = [];
  }
}
