import type { LogListener } from '../log/listener.ts';
import type { Comment } from '../protocol/comment.ts';
import type { Position } from '../protocol/event-id.ts';
import type { Frame } from '../protocol/frame.ts';
import { DeliveryAccess, type GuardedDelivery } from './delivery-access.ts';
import type { ChangeOwner, DeliveryChanges } from './delivery-changes.ts';
import type { DeliveryContext, DeliveryOutcome, DeliveryTarget } from './delivery-target.ts';
import { type DeliveryOwner, type DeliveryState, DeliveryWriter } from './delivery-writer.ts';
import type { SnapshotListener } from './reader/backfill.ts';
import { LogReader } from './reader/log-reader.ts';
import { Retentions } from './retentions.ts';
import { ChannelOpener, type OpenerOwner } from './subscriptions/channel-opener.ts';
import type { Start } from './subscriptions/resume.ts';
import type { BoundOptions } from './subscriptions/subscribe-options.ts';
import type { Subscription } from './subscriptions/subscription.ts';
import { namesByFilter, Subscriptions } from './subscriptions/subscriptions.ts';

/**
 * Delivers the entries of channels to one stream. Its phases are those of its {@link ChannelOpener}. It delivers only
 * while it is `live`: in the other phases, direct sends wait in a queue, and entries are retained in the log.
 * A loss ({@link lose}) after it has begun queues a reset, and subscribes again.
 */
export class StreamDelivery
  implements LogListener, OpenerOwner, SnapshotListener, DeliveryOwner, ChangeOwner, GuardedDelivery
{
  readonly #target: DeliveryTarget;
  readonly subscriptions: Subscriptions;
  readonly reader: LogReader;
  readonly writer: DeliveryWriter;
  /** Begins the delivery, which then calls `deliveryReady`. */
  readonly opener: ChannelOpener;
  /** Absent while nothing is retained and no delivery is scheduled, as with most streams that have begun. */
  #retentions: Retentions | undefined;
  /** Absent: it may follow every channel. */
  readonly access: DeliveryAccess | undefined;
  /** Most streams have none. */
  changes: DeliveryChanges | undefined;
  #isDelivering = false;
  #epoch: string | undefined;

  constructor(target: DeliveryTarget) {
    this.#target = target;
    this.subscriptions = new Subscriptions(target.context.log, this);
    this.reader = new LogReader(this.subscriptions, target, this);
    this.writer = new DeliveryWriter(this.reader, target);
    const { access } = target;
    this.access = access && new DeliveryAccess(access, this.subscriptions, this);
    this.opener = new ChannelOpener(this);
    this.opener.lastEventId = target.lastEventId;
  }

  get context(): DeliveryContext {
    return this.#target.context;
  }

  get isLive(): boolean {
    return this.opener.phase === 'live';
  }

  /** A new epoch has begun. A stream without subscriptions is not told. */
  get #isOfPastEpoch(): boolean {
    return this.opener.hasBegun && this.#epoch !== this.context.log.epoch;
  }

  /** Without a `from`, existing subscriptions stay where they are, with the new filter. */
  subscribe(names: readonly string[], given: BoundOptions): void {
    const options = this.changes?.resuming(given) ?? given;
    const others = options.from === undefined ? this.subscriptions.setFilter(names, options.filter) : names;
    if (others.length > 0) this.subscribeAt(others, options);
  }

  /** @param at the position that is "now". Default: the newest position. */
  subscribeAt(names: readonly string[], options: BoundOptions, at?: Position): void {
    this.#forget(names);
    this.#add(names, options, at);
  }

  #forget(names: readonly string[]): void {
    this.access?.forget(names);
    this.reader.forgetLosses(names);
  }

  #add(names: readonly string[], options: BoundOptions, at?: Position): void {
    const isFirst = this.subscriptions.list.length === 0;
    this.subscriptions.add(names, options, at);
    // A stream without subscriptions has missed nothing.
    if (isFirst && this.isLive) this.reader.client.reach(at ?? this.context.log.head);
    this.reader.subscriptionsChanged();
    this.opener.add();
  }

  unsubscribe(names: readonly string[]): void {
    this.#forget(names);
    if (!this.subscriptions.remove(names)) return;
    this.reader.subscriptionsChanged();
    // It may have waited for one of these.
    this.opener.subscriptionsRemoved();
    this.schedule();
  }

  waitForChannels(): void {
    this.#retaining.update();
  }

  get #retaining(): Retentions {
    this.#retentions ??= new Retentions(this.reader, this.opener);
    return this.#retentions;
  }

  begin(start: Start | undefined): void {
    this.#epoch = this.context.log.epoch;
    this.writer.limit(this.context.log.head);
    if (start === undefined) this.reader.client.reach(this.context.log.head);
    else {
      this.writer.beginReplay(start);
      this.reader.begin(start);
    }
    if (this.reader.hasUnreportedLoss) this.#end('lost');
    else {
      const isEmpty = this.writer.isFinished && this.#target.writer.bufferedBytes === 0;
      const isFinished = start === undefined || isEmpty || this.access?.isFinished === true;
      this.#target.deliveryReady(isFinished);
      if (!isFinished) this.schedule();
      // The headers had been sent already.
      else this.#end('ended');
      this.access?.begun();
    }
  }

  beginAdded(added: readonly Subscription[]): void {
    const { lastEventId } = this.opener;
    const isFirst = added.length === this.subscriptions.list.length;
    // Without subscriptions, the stream may have begun before this process reached the client's id.
    if (isFirst) this.reader.client.reach(this.context.log.positionOf(lastEventId) ?? 0);
    this.reader.add(added);
    this.schedule();
  }

  /** A channel cannot be opened, or a snapshot was not given. */
  fail(error: unknown): void {
    this.#end('error', error);
  }

  /** Runs in the delivery loop, or when the client has read. */
  schedule(): void {
    if (!this.opener.hasBegun) return;
    this.#retaining.deliveryScheduled();
    this.context.loop.add(this);
  }

  /** The client has read what was written, or there is more to write. */
  resume(): void {
    if (this.opener.phase !== 'over') this.context.loop.add(this);
  }

  catchUp(): void {
    // A filter may send, subscribe or close, which calls this again.
    if (this.#isDelivering) return;
    this.access?.applyHold();
    if (this.#isOfPastEpoch) this.startOver();
    if (!this.isLive) return;
    this.#retentions?.deliveryBegins();
    this.#isDelivering = true;
    let state: DeliveryState;
    try {
      state = this.writer.deliver(this);
      this.writer.reportWritten();
    } catch (error) {
      // A write failed: it is unknown what the client has, so it gets no marker.
      this.#target.deliveryOver('error', error, 'write');
      return;
    } finally {
      this.#isDelivering = false;
    }
    if (state === 'budget-spent') {
      this.#retaining.deliveryContinues();
      this.resume();
    } else if (state !== 'caught-up' && state !== 'full' && state !== 'waiting') this.#end(state);
    else if (this.reader.hasBackfill) this.#retaining.update();
    else if (this.#retentions?.isIdle) this.#retentions = undefined;
  }

  #end(outcome: DeliveryOutcome, error?: unknown): void {
    if (this.opener.phase !== 'over') this.writer.end(outcome, error, () => this.opener.keptIdMarker());
  }

  /** Sends a frame after everything that was published before. */
  send(frame: Frame | Comment): void {
    this.catchUp();
    if (this.opener.phase === 'over') return;
    // How far this process is behind the broker is known when the channels have been opened.
    const isBehind = !this.opener.hasBegun && this.context.sync !== undefined;
    const after = isBehind ? Number.POSITIVE_INFINITY : this.context.log.head;
    this.writer.send(frame, this.isLive && !this.#isDelivering, after);
  }

  /** A marker, named `event`, in place of a heartbeat, if the client's id is older than the stream's position. */
  heartbeatMarker(event?: string): Frame | undefined {
    if (this.#isOfPastEpoch) this.startOver();
    return this.isLive && this.writer.isIdle ? this.reader.client.headMarker(event) : undefined;
  }

  /** The stream takes nothing more: delivers what was published before, then ends as `closed` or `cut-short`. */
  close(): void {
    if (this.#isOfPastEpoch) this.startOver();
    this.writer.close();
    if (this.opener.mustBeginBeforeClosing) this.catchUp();
    else this.#end('cut-short');
  }

  /** The broker has not answered in time. A stream that closes stops waiting for it. */
  stopWaiting(): void {
    if (this.writer.isClosing && !this.opener.hasBegun) this.#end('cut-short');
  }

  /** Cancels all subscriptions, for good. */
  stop(): void {
    this.opener.stop();
    this.subscriptions.clear();
    this.reader.clear();
    this.#retentions?.release();
    this.writer.clear();
  }

  lose(channels: ReadonlySet<string>): void {
    // Its client resumes from its last id, and gets a reset if it has missed something.
    if (this.opener.hasBegun && this.writer.isClosing) this.#end('cut-short');
    if (!this.opener.hasBegun) return;
    const lost = this.subscriptions.begunOf(channels);
    const reported = lost.filter(({ channel }) => channel.reportsLoss);
    this.reader.reportLoss('history', reported);
    for (const [filter, names] of namesByFilter(lost)) this.#add(names, { filter });
  }

  startOver(): void {
    if (this.opener.phase === 'over') return;
    this.reader.clear();
    this.writer.limit(0);
    try {
      this.opener.startOver();
    } catch (error) {
      this.#end('error', error);
    }
    if (this.writer.isClosing) this.#end('cut-short');
  }

  snapshotArrived(): void {
    this.schedule();
  }
}
