import type { Log } from '../../log/log.ts';
import type { Position } from '../../protocol/event-id.ts';
import { type Frame, joinFrames } from '../../protocol/frame.ts';
import type { ResetReason } from '../../protocol/reset.ts';
import type { Start } from '../subscriptions/resume.ts';
import type { Subscription } from '../subscriptions/subscription.ts';
import type { Subscriptions } from '../subscriptions/subscriptions.ts';
import { Backfill, type SnapshotListener } from './backfill.ts';
import { ClientPosition } from './client-position.ts';
import { type EntryReader, takeEntries } from './entries.ts';
import { Gap, type Next } from './next.ts';
import { Notices } from './notices.ts';
import type { ReaderStream } from './reader-stream.ts';

/** Entries that a stream has yet to receive, before filters. */
export interface Backlog {
  readonly events: number;
  /** ms since the oldest of them came. 0: there are none. */
  readonly age: number;
}

/**
 * The offset of one stream in the log, and the order in which it receives what comes after it: notices (resets and
 * markers), then what is older than its position (backfill), then the entries of its channels.
 */
export class LogReader implements EntryReader {
  /** The last call has spent the time budget of an iteration. */
  isBudgetSpent = false;
  /** The client has missed events and receives no resets: the stream has to end. */
  hasUnreportedLoss = false;
  readonly #subscriptions: Subscriptions;
  readonly stream: ReaderStream;
  readonly #listener: SnapshotListener;
  /** The position of the stream, and the markers that tell its client. */
  readonly client: ClientPosition;
  /** Written before everything else. */
  #notices: Notices | undefined;
  #backfill: Backfill | undefined;

  constructor(subscriptions: Subscriptions, stream: ReaderStream, listener: SnapshotListener) {
    this.#subscriptions = subscriptions;
    this.client = new ClientPosition(subscriptions, stream);
    this.stream = stream;
    this.#listener = listener;
  }

  /** The entries of the log are next. */
  get isInOrder(): boolean {
    return this.#notices === undefined && !this.#backfill?.isActive;
  }

  get isWaiting(): boolean {
    return this.#backfill?.isWaiting === true;
  }

  get hasBackfill(): boolean {
    return this.#backfill?.isActive === true;
  }

  /** What is older than the position is still to be sent, or to be asked for. */
  get isInterrupted(): boolean {
    return this.hasBackfill || this.subscriptions.some(({ awaitsOlder }) => awaitsOlder);
  }

  /** Everything up to here that the stream was to receive has been written. Only grows. */
  get position(): Position {
    return this.client.position;
  }

  get #log(): Log {
    return this.#subscriptions.log;
  }

  /** The position after which a subscription needs the entries of its channel. */
  neededAfter(subscription: Subscription): Position {
    return this.#backfill?.offsetOf(subscription) ?? subscription.offset(this.position);
  }

  get backlog(): Backlog {
    const { time } = this.#log;
    let events = 0;
    let oldest = time;
    for (const subscription of this.subscriptions) {
      const { history } = subscription.channel;
      const index = history.indexAfter(this.neededAfter(subscription));
      events += history.countFrom(index);
      oldest = Math.min(oldest, history.at(index)?.at ?? time);
    }
    return { events, age: time - oldest };
  }

  get subscriptions(): readonly Subscription[] {
    return this.#subscriptions.list;
  }

  subscriptionsChanged(): void {
    this.#backfill?.dropCancelled();
  }

  /** Drops the pending resets of channels that the application unsubscribes, or subscribes again. */
  forgetLosses(names: readonly string[]): void {
    if (this.#notices === undefined) return;
    this.#notices.remove(names);
    if (!this.#notices.isEmpty) return;
    this.client.lastIdSent = this.#notices.lastIdBefore;
    this.#notices = undefined;
  }

  /** Forgets where it was. */
  clear(): void {
    this.client.clear();
    this.#notices = undefined;
    this.#backfill?.clear();
  }

  /** Begins where the stream begins. */
  begin({ position, reason, lost, ownStarts }: Start): void {
    this.client.position = position;
    this.#reset(reason, lost);
    if (ownStarts.length > 0) this.add(ownStarts);
    const own = new Set(ownStarts);
    // A snapshot may have subscribed. Subscriptions without a start are added later.
    this.#beginBackfill(this.subscriptions.filter(each => each.hasStart && !own.has(each)));
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

  /** Continues at the head after a gap. What is left of the history would be trimmed again before it is sent. */
  skip({ subscriptions }: Gap): void {
    for (const subscription of subscriptions) {
      subscription.start = this.#log.head;
      this.#backfill?.delete(subscription);
    }
    // What was dropped because the channel began again is no fault of the client.
    this.#reset(
      'history',
      subscriptions.filter(({ channel }) => channel.hasBegunAgain),
    );
    this.#reset(
      'slow',
      subscriptions.filter(({ channel }) => !channel.hasBegunAgain),
    );
    this.#beginBackfill(subscriptions);
  }

  /** Tells the client of a loss. The subscriptions stay where they are. */
  reportLoss(reason: ResetReason, subscriptions: readonly Subscription[]): void {
    const names = subscriptions.map(({ channel }) => channel.name);
    const channels = this.#notices?.notYetReset(names) ?? names;
    if (channels.length === 0) return;
    this.stream.resetQueued(reason, channels);
    if (!this.stream.hasMarkers) {
      this.hasUnreportedLoss = true;
      return;
    }
    this.#notices ??= new Notices(this.client.lastIdSent);
    this.#notices.add({ reason, channels });
    // The notice carries this position as its id.
    this.client.lastIdSent = this.position;
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
    return this.#subscriptions.gapAt(this.position) ?? takeEntries(this, upTo);
  }

  #takeBackfill(backfill: Backfill): Next {
    if (backfill.isWaiting) return 'waiting';
    const lost = backfill.gaps();
    if (lost.length > 0) return new Gap(lost);
    const { frame, isBudgetSpent } = backfill.take();
    this.isBudgetSpent = isBudgetSpent;
    if (frame !== undefined) return frame;
    return backfill.isActive ? 'more' : (this.client.mark('') ?? 'more');
  }

  /** All channels have ended, and the stream has received everything. */
  get isFinished(): boolean {
    return this.#subscriptions.areFinished(this.position, this.stream);
  }

  #reset(reason: ResetReason, subscriptions: readonly Subscription[]): void {
    this.reportLoss(reason, subscriptions);
    for (const subscription of subscriptions) subscription.restart(this.#log.head);
  }

  #beginBackfill(subscriptions: readonly Subscription[]): void {
    const older = subscriptions.filter(each => each.start < this.position || each.snapshot !== undefined);
    if (older.length > 0 && !this.hasBackfill && this.stream.hasMarkers) {
      this.#notices ??= new Notices(this.client.lastIdSent);
      this.#notices.add('backfill');
    }
    for (const subscription of older) {
      this.#backfill ??= new Backfill();
      this.#backfill.add(subscription, this.position, this.stream, this.#listener);
    }
  }

  /** Notices that were not written yet, for a stream that ends. */
  takePending(): Frame | undefined {
    return this.#notices && joinFrames(this.#encode(this.#notices));
  }

  #encode(notices: Notices): Frame[] {
    const { position, isInterrupted } = this;
    this.#notices = undefined;
    this.client.lastIdSent = isInterrupted ? 'backfill' : position;
    return notices.encode(this.#log, position, isInterrupted, this.stream.context.resetEvent);
  }

  #takeNotices(notices: Notices, upTo: Position): Next {
    // A reset for the gap that comes next is written together with these.
    const gap = this.hasBackfill ? undefined : this.#subscriptions.gapAt(this.position);
    if (gap?.disconnects === false) this.skip(gap);
    const frames = this.#encode(notices);
    // A client that resumes from the id of a reset receives the reset again. So it is written together with what
    // follows: an entry or a marker.
    if (!this.hasBackfill) {
      const following = this.nextEntries(upTo);
      if (typeof following === 'object' && !(following instanceof Gap)) frames.push(following);
      else if (following === 'caught-up' && this.client.lastIdSent !== this.position) {
        const marker = this.client.mark('');
        if (marker !== undefined) frames.push(marker);
      }
    }
    return joinFrames(frames);
  }
}
