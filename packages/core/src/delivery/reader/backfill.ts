import type { LogEntry } from '../../log/entry.ts';
import type { State } from '../../log/snapshots.ts';
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
  snapshot: State | 'pending' | undefined;
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
    return this.subscription.take(entry, this.#subscriber) ? entry.withoutId : undefined;
  }

  takeState(state: State): Frame {
    this.#subscriber.receive?.(this.subscription.channel.name, state);
    return state.frame;
  }
}

/**
 * What a stream receives that is older than its position: snapshots first, then events. All of it is sent without ids,
 * because the client may have received newer ids before, and ids have to ascend.
 */
export class Backfill {
  readonly #parts = new Map<Subscription, Part>();
  #pending = 0;

  get isActive(): boolean {
    return this.#parts.size > 0;
  }

  /** A snapshot is pending: nothing is sent before it. */
  get isWaiting(): boolean {
    return this.#pending > 0;
  }

  /** Adds the older entries of a subscription, up to a position, and its snapshot. */
  add(subscription: Subscription, upTo: Position, subscriber: Subscriber, listener: SnapshotListener): void {
    const { snapshot, channel, start } = subscription;
    const part = new Part(subscription, upTo, subscriber);
    this.delete(subscription);
    this.#parts.set(subscription, part);
    if (part.snapshot === 'pending') this.#pending += 1;
    subscription.snapshot = undefined;
    const settle = (state: State) => {
      if (this.#parts.get(subscription) !== part) return;
      part.snapshot = state;
      this.#pending -= 1;
      if (channel.history.trimmedUpTo > start) {
        throw new Error(
          `the history of ${channel.name} was trimmed before its snapshot was ready: use a larger history`,
        );
      }
      if (!this.isWaiting) listener.snapshotArrived();
    };
    snapshot?.then(settle).catch(error => {
      if (this.#parts.get(subscription) === part) listener.fail(error);
    });
  }

  /** The position after which a subscription needs entries; undefined if it has no part in this. */
  offsetOf(subscription: Subscription): Position | undefined {
    return this.#parts.get(subscription)?.offset;
  }

  /** The subscriptions whose entries were trimmed before they could be sent. */
  gaps(): Subscription[] {
    return [...this.#parts.keys()].filter(subscription => this.#parts.get(subscription)?.hasGap);
  }

  /** Takes what the next write sends. When nothing is left, the backfill is no longer active. */
  take(): Merged {
    const parts = [...this.#parts.values()];
    for (const part of parts) {
      const { snapshot } = part;
      part.snapshot = undefined;
      if (typeof snapshot === 'object') {
        return { frame: part.takeState(snapshot), isComplete: false, isBudgetSpent: false };
      }
    }
    const merged = merge(parts);
    if (merged.isComplete && merged.frame === undefined) {
      // Only these: a filter may have subscribed to more meanwhile.
      for (const { subscription } of parts) this.delete(subscription);
    }
    return merged;
  }

  /** Drops the parts of subscriptions that were cancelled. */
  dropCancelled(): void {
    for (const subscription of this.#parts.keys()) if (subscription.isCancelled) this.delete(subscription);
  }

  clear(): void {
    this.#parts.clear();
    this.#pending = 0;
  }

  delete(subscription: Subscription): void {
    if (this.#parts.get(subscription)?.snapshot === 'pending') this.#pending -= 1;
    this.#parts.delete(subscription);
  }
}
