import type { LogEntry } from '../log/entry.ts';
import type { Log } from '../log/log.ts';
import type { IdSuffix, Position } from '../protocol/event-id.ts';
import { type Frame, joinFrames } from '../protocol/frame.ts';
import { createMarker } from '../protocol/marker.ts';
import type { ResetReason } from '../protocol/reset.ts';
import { Backfill, type SnapshotListener } from './backfill.ts';
import { merge } from './merge.ts';
import { Gap, type Next } from './next.ts';
import { Notices } from './notices.ts';
import type { Start } from './resume.ts';
import type { Subscriber, Subscription } from './subscription.ts';
import type { Subscriptions } from './subscriptions.ts';

/** What a reader needs of its stream. */
export interface ReaderStream extends Subscriber {
  readonly context: { readonly resetEvent: string };
  /** The client receives markers and resets. */
  readonly hasMarkers: boolean;
  /** A reset is about to be sent. */
  resetQueued(reason: ResetReason, channels: readonly string[]): void;
}

/**
 * The offset of one stream in the log, and the order in which it receives what comes after it: notices (resets and
 * markers), then what is older than its position (backfill), then the entries of its channels.
 */
export class LogReader {
  /** Everything up to here that the stream was to receive has been written. Only grows. */
  position: Position = 0;
  /** The last call has taken the time of a turn. */
  isTurnSpent = false;
  /** The client has missed events and receives no resets: the stream has to end. */
  hasUnreportedLoss = false;
  readonly #log: Log;
  readonly #subscriptions: Subscriptions;
  readonly #stream: ReaderStream;
  readonly #listener: SnapshotListener;
  /** The position of the last id that the client was sent. */
  #lastIdSent: Position | undefined;
  /** Written before all else. */
  #notices: Notices | undefined;
  #backfill: Backfill | undefined;

  constructor(log: Log, subscriptions: Subscriptions, stream: ReaderStream, listener: SnapshotListener) {
    this.#log = log;
    this.#subscriptions = subscriptions;
    this.#stream = stream;
    this.#listener = listener;
  }

  /** Nothing is to be written before the entries of the log. */
  get isInOrder(): boolean {
    return this.#notices === undefined && !this.#backfill?.isActive;
  }

  get isWaiting(): boolean {
    return this.#backfill?.isWaiting === true;
  }

  get hasBackfill(): boolean {
    return this.#backfill?.isActive === true;
  }

  get hasSentId(): boolean {
    return this.#lastIdSent !== undefined;
  }

  /** The position after which a subscription needs the entries of its channel. */
  neededAfter(subscription: Subscription): Position {
    return this.#backfill?.startOf(subscription) ?? subscription.offset(this.position);
  }

  get subscriptions(): readonly Subscription[] {
    return this.#subscriptions.list;
  }

  subscriptionsChanged(): void {
    this.#backfill?.keep(this.subscriptions);
  }

  /** Forgets where it was. */
  clear(): void {
    this.position = 0;
    this.#lastIdSent = undefined;
    this.#notices = undefined;
    this.#backfill?.clear();
  }

  /** Begins where the stream begins. */
  begin({ position, reason, lost, ownStarts }: Start): void {
    this.position = position;
    this.#reset(reason, lost);
    if (ownStarts.length > 0) this.add(ownStarts);
    this.#beginBackfill(this.subscriptions.filter(subscription => !ownStarts.includes(subscription)));
  }

  /** Takes subscriptions that begin where the application says, or that were made late. */
  add(subscriptions: readonly Subscription[]): void {
    const unknown = subscriptions.filter(subscription => subscription.hasUnknownStart(this.#log));
    this.#reset('unknown', unknown);
    const incomplete = subscriptions.filter(subscription => subscription.hasGap());
    this.#reset('history', incomplete);
    for (const subscription of subscriptions) {
      const needsSnapshot = subscription.wantsState && subscription.snapshot === undefined;
      if (needsSnapshot) subscription.requestSnapshot(this.#log.head);
    }
    this.#beginBackfill(subscriptions);
  }

  /** Goes on at the head after a gap: what is left would be trimmed again before it is sent. */
  skip(gap: Gap): void {
    for (const subscription of gap.subscriptions) subscription.start = this.#log.head;
    this.#reset('slow', gap.subscriptions);
    this.#beginBackfill(gap.subscriptions);
  }

  /** Tells the client of a loss. The subscriptions stay where they are. */
  reportLoss(reason: ResetReason, subscriptions: readonly Subscription[]): void {
    const reported = subscriptions.filter(({ channel }) => channel.reportsLoss);
    if (reported.length === 0) return;
    const channels = reported.map(({ channel }) => channel.name);
    this.#stream.resetQueued(reason, channels);
    if (!this.#stream.hasMarkers) {
      this.hasUnreportedLoss = true;
      return;
    }
    this.#notices ??= new Notices();
    this.#notices.add({ reason, channels });
    this.#lastIdSent = this.position;
  }

  /** Sends a reconnection time before all else. */
  announceRetry(retry: number | undefined): void {
    if (retry === undefined) return;
    this.#notices ??= new Notices();
    this.#notices.retry = retry;
  }

  /** What comes next, up to a position of the log. Changes nothing but this reader. */
  next(upTo: Position): Next {
    if (this.#notices !== undefined) return this.#takeNotices(this.#notices, upTo);
    if (this.#backfill?.isActive) return this.#takeBackfill(this.#backfill);
    return this.nextEntries(upTo);
  }

  /** What comes next in the log itself. */
  nextEntries(upTo: Position): Next {
    if (this.position >= upTo) return 'caught-up';
    return this.#subscriptions.gapAt(this.position) ?? this.#takeEntries(upTo);
  }

  #takeEntries(upTo: Position): Next {
    const ready =
      this.subscriptions.length > 1
        ? this.subscriptions.filter(subscription => subscription.hasNewer(this.position))
        : this.subscriptions;
    const [only] = ready;
    if (only !== undefined && ready.length === 1 && only.options.filter === undefined) {
      const piece = only.pieceAfter(this.position);
      if (piece?.frame === undefined) return this.#reach(upTo);
      if (!piece.hasExceptions && piece.last <= upTo) {
        this.#lastIdSent = this.position = piece.last;
        return piece.frame;
      }
    }
    // Several channels, a filter or exceptions: the frames are this stream's own.
    const before = this.subscriptions;
    const { frame, isComplete, isTurnSpent } = merge(ready.map(each => this.#sourceOf(each, upTo)));
    this.isTurnSpent = isTurnSpent;
    // A filter may have subscribed, which ends the merge.
    return frame ?? (isComplete && this.subscriptions === before ? this.#reach(upTo) : 'more');
  }

  #sourceOf(subscription: Subscription, upTo: Position) {
    const { subscriptions } = this;
    return {
      peek: () => {
        if (this.subscriptions !== subscriptions) return undefined;
        return subscription.channel.entryAfter(subscription.offset(this.position), upTo);
      },
      take: (entry: LogEntry) => {
        if (this.subscriptions !== subscriptions) return undefined;
        this.position = entry.position;
        if (!subscription.accepts(entry, this.#stream)) return undefined;
        this.#lastIdSent = entry.position;
        return entry.frame;
      },
    };
  }

  /** Nothing up to there is for this stream. */
  #reach(position: Position): 'caught-up' {
    this.position = Math.max(this.position, position);
    return 'caught-up';
  }

  #takeBackfill(backfill: Backfill): Next {
    if (backfill.isWaiting) return 'waiting';
    const lost = backfill.removeGaps();
    if (lost.length > 0) {
      this.skip(new Gap(lost));
      return 'more';
    }
    const { frame, isTurnSpent } = backfill.take();
    this.isTurnSpent = isTurnSpent;
    if (frame !== undefined) return frame;
    return backfill.isActive ? 'more' : (this.mark('') ?? 'more');
  }

  /** All channels have ended, and the stream has received everything. */
  get isFinished(): boolean {
    return this.#subscriptions.areFinished(this.position, this.#stream) && this.isInOrder;
  }

  /** A marker at the position of the log, if the client's last id is older. To be called when it has caught up. */
  headMarker(event?: string): Frame | undefined {
    if (this.subscriptions.some(subscription => subscription.hasNewer(this.position))) return undefined;
    this.position = Math.max(this.position, this.#log.deliveredUpTo);
    return this.#lastIdSent === this.position ? undefined : this.mark('', event);
  }

  /**
   * A marker, if the client has no id yet, or one that trimming may soon pass: a filter or `except` can skip everything
   * that a channel retains, and the client would get a reset for what it was not to receive.
   */
  dueMarker(): Frame | undefined {
    if (this.#lastIdSent === this.position) return undefined;
    return this.#lastIdSent === undefined || this.#subscriptions.areAboutToTrim(this.#lastIdSent)
      ? this.mark('')
      : undefined;
  }

  /** A marker at the position of the stream, if the client receives markers. */
  mark(suffix: IdSuffix, event?: string): Frame | undefined {
    if (!this.#stream.hasMarkers) return undefined;
    this.#lastIdSent = this.position;
    return createMarker(this.#log.id(this.position, suffix), { event });
  }

  #reset(reason: ResetReason, subscriptions: readonly Subscription[]): void {
    if (subscriptions.length === 0) return;
    this.reportLoss(reason, subscriptions);
    for (const subscription of subscriptions) subscription.restart(this.#log.head);
  }

  #beginBackfill(subscriptions: readonly Subscription[]): void {
    const older = subscriptions.filter(each => each.start < this.position || each.snapshot !== undefined);
    if (older.length > 0 && !this.hasBackfill && this.#stream.hasMarkers) {
      this.#notices ??= new Notices();
      this.#notices.add('backfill');
    }
    for (const subscription of older) {
      this.#backfill ??= new Backfill();
      this.#backfill.add(subscription, this.position, this.#stream, this.#listener);
    }
  }

  /** Notices that were not written yet, for a stream that ends. */
  takePending(): Frame | undefined {
    return this.#notices && joinFrames(this.#encode(this.#notices));
  }

  #encode(notices: Notices): Frame[] {
    this.#notices = undefined;
    this.#lastIdSent = this.position;
    return notices.encode(this.#log, this.position, this.hasBackfill, this.#stream.context.resetEvent);
  }

  #takeNotices(notices: Notices, upTo: Position): Next {
    const frames = this.#encode(notices);
    // A reset has an id from which its client would get it again: it travels with what follows, if only a marker.
    if (!this.hasBackfill) {
      const following = this.nextEntries(upTo);
      if (typeof following === 'object' && !(following instanceof Gap)) frames.push(following);
      else if (following === 'caught-up' && this.#lastIdSent !== this.position) {
        const marker = this.mark('');
        if (marker !== undefined) frames.push(marker);
      }
    }
    return joinFrames(frames);
  }
}
