import { nextTurn } from '../base/event-loop.ts';
import type { ChannelWaiter, LogListener } from '../log/listener.ts';
import type { Log } from '../log/log.ts';
import type { Comment } from '../protocol/comment.ts';
import { type Position, parseId, UNKNOWN_ID } from '../protocol/event-id.ts';
import type { Frame } from '../protocol/frame.ts';
import { createMarker } from '../protocol/marker.ts';
import type { SnapshotListener } from './backfill.ts';
import type { DeliveryOutcome, DeliveryTarget } from './delivery-target.ts';
import { type DeliveryOwner, type DeliveryState, DeliveryWriter } from './delivery-writer.ts';
import { LogReader } from './log-reader.ts';
import { findStart } from './resume.ts';
import { Retentions } from './retentions.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { Beginning, Subscription } from './subscription.ts';
import { areOutdated, Subscriptions } from './subscriptions.ts';

/**
 * - `gathering`: subscriptions are collected, until the headers are due or to the end of the turn.
 * - `opening`: the broker is asked for the channels, before the stream begins.
 * - `live`: entries are delivered.
 * - `adding`: the broker is asked for channels that were subscribed to later. Nothing is delivered meanwhile.
 * - `over`.
 */
type Phase = 'gathering' | 'opening' | 'live' | 'adding' | 'over';

/**
 * Delivers the entries of channels to one stream.
 *
 * ```
 *             start()            loaded()          subscribe()
 *  gathering ────────► opening ──────────► live ◄─────────────► adding
 *                         ▲                  │      loaded()       │
 *                         └── startOver() ───┴─────────────────────┘      any ── stop() ──► over
 * ```
 *
 * Without a broker there is nothing to wait for: `opening` and `adding` last no time. A loss ({@link lose}) while it is
 * opening needs no answer: what was lost is asked for again before it begins. A loss while it is live queues a reset,
 * and subscribes again (`adding`). A broker that cannot be reached keeps it in `opening` or `adding`: direct sends and
 * entries are queued, or retained in the log, until the read succeeds.
 */
export class StreamDelivery implements LogListener, ChannelWaiter, SnapshotListener, DeliveryOwner {
  readonly #target: DeliveryTarget;
  readonly #subscriptions: Subscriptions;
  readonly #reader: LogReader;
  readonly #writer: DeliveryWriter;
  #phase: Phase = 'gathering';
  /** The id after which it begins. */
  #lastEventId: string | undefined;
  /** ms to wait before reconnecting, until it is sent. */
  #retry: number | undefined;
  #retentions: Retentions | undefined;
  /** It is on the list of the delivery loop, and what it needs is retained until then. */
  #isScheduled = false;
  #isDelivering = false;
  #epoch: string | undefined;

  /** @param retry ms to wait before reconnecting, sent with the first marker. */
  constructor(target: DeliveryTarget, retry?: number) {
    this.#target = target;
    this.#retry = retry;
    this.#subscriptions = new Subscriptions(target.context.log, this);
    this.#reader = new LogReader(target.context.log, this.#subscriptions, target, this);
    this.#writer = new DeliveryWriter(target.context.log, this.#reader, target);
    this.#lastEventId = target.lastEventId;
  }

  get #log(): Log {
    return this.#target.context.log;
  }

  /** Subscriptions are still being collected. */
  get isGathering(): boolean {
    return this.#phase === 'gathering';
  }

  get isLive(): boolean {
    return this.#phase === 'live';
  }

  get #hasBegun(): boolean {
    return this.#phase === 'live' || this.#phase === 'adding';
  }

  /** Bytes that the application sent and that wait for their place. */
  get bufferedBytes(): number {
    return this.#writer.bufferedBytes;
  }

  // Subscriptions

  /** Without a `from`, existing subscriptions stay where they are, with the new filter. */
  subscribe(names: readonly string[], options: SubscribeOptions): void {
    const added = options.from === undefined ? this.#subscriptions.setFilter(names, options.filter) : names;
    if (added.length > 0) this.#subscribe(added, options);
  }

  #subscribe(names: readonly string[], options: SubscribeOptions): void {
    // A stream without subscriptions has missed nothing.
    const isFirst = this.#subscriptions.list.length === 0 && this.#phase === 'live';
    this.#subscriptions.add(names, options);
    if (isFirst) this.#reader.position = this.#log.head;
    this.#reader.subscriptionsChanged();
    if (this.#phase === 'live') this.#load('adding');
  }

  unsubscribe(names: readonly string[]): void {
    if (!this.#subscriptions.remove(names)) return;
    this.#reader.subscriptionsChanged();
    // It may have waited for one of these.
    this.#schedule();
  }

  // Beginning

  /** Begins: asks the broker for the channels, then calls `deliveryReady`. */
  start(): void {
    if (this.#phase === 'gathering') this.#load('opening');
  }

  /** Begins in the next turn, after the subscriptions of this one: the headers have been sent already. */
  startSoon(): void {
    nextTurn(() => this.start());
  }

  #load(phase: 'opening' | 'adding'): void {
    this.#phase = phase;
    if (this.#target.context.sync?.load(this) !== true) this.loaded();
    // In the middle of an adding, a stream that closes does not wait for the broker.
    else if (phase === 'adding' && this.#writer.isClosing) this.#end('closed');
    else this.#updateRetentions();
  }

  wants(): Map<string, Position> {
    return this.#subscriptions.wants(this.#unplaced, this.#beginning);
  }

  get #beginning(): Beginning {
    if (this.#hasBegun) return { lastEventId: undefined, last: undefined };
    return { lastEventId: this.#lastEventId, last: this.#log.positionIn(this.#lastEventId) };
  }

  /** Until it has begun, all of them: what was read for the first may be lost before the last is there. */
  get #unplaced(): readonly Subscription[] {
    return this.#hasBegun ? this.#subscriptions.unplaced() : this.#subscriptions.list;
  }

  loaded(): void {
    if (this.#phase !== 'opening' && this.#phase !== 'adding') return;
    try {
      // What was lost, or subscribed to, while the broker was asked is asked for before it begins.
      const isOutdated = this.#target.context.sync !== undefined && areOutdated(this.#unplaced);
      if (isOutdated) this.#load(this.#phase);
      else if (this.#phase === 'opening') this.#begin();
      else this.#add();
    } catch (error) {
      this.#end('error', error);
    }
  }

  #begin(): void {
    const start = findStart(this.#log, this.#subscriptions.list, this.#lastEventId);
    this.#phase = 'live';
    this.#epoch = this.#log.epoch;
    this.#writer.limit(this.#log.head);
    if (start === undefined) {
      this.#reader.position = this.#log.head;
      this.#ready(true);
      return;
    }
    if (start.isResumed) this.#target.resumed();
    this.#reader.begin(start);
    if (this.#reader.hasUnreportedLoss) {
      this.#end('lost');
      return;
    }
    this.#ready(this.#writer.isIdle && this.#reader.isFinished && this.#target.writer.bufferedBytes === 0);
  }

  /** @param isFinished there is nothing to deliver, now or later. */
  #ready(isFinished: boolean): void {
    this.#target.deliveryReady(isFinished);
    if (!isFinished) {
      this.#reader.announceRetry(this.#retry);
      this.#retry = undefined;
      this.#schedule();
    } else {
      // The headers had been sent already.
      this.#end('ended');
    }
  }

  #add(): void {
    const added = this.#unplaced;
    const beginning = this.#beginning;
    for (const subscription of added) subscription.resolveStart(this.#log, beginning);
    this.#phase = 'live';
    this.#reader.add(added);
    this.#schedule();
  }

  // Delivery

  /** Runs in the delivery loop, or when the client has read. */
  #schedule(): void {
    if (this.#phase === 'gathering' || this.#phase === 'opening' || this.#phase === 'over') return;
    this.#isScheduled = true;
    this.#updateRetentions();
    this.#target.context.loop.add(this);
  }

  /** The client has read what was written. */
  resume(): void {
    if (this.#phase !== 'over') this.#target.context.loop.add(this);
  }

  catchUp(): void {
    // A filter may send, subscribe or close: it does not get here again.
    if (this.#phase !== 'live' || this.#isDelivering) return;
    if (this.#epoch !== this.#log.epoch) {
      this.startOver();
      return;
    }
    if (this.#isScheduled) {
      this.#isScheduled = false;
      this.#subscriptions.releaseStarts();
      this.#updateRetentions();
    }
    this.#isDelivering = true;
    let state: DeliveryState;
    try {
      state = this.#writer.deliver(this);
      this.#writer.reportWritten();
    } catch (error) {
      this.#isDelivering = false;
      this.#end('error', error);
      return;
    }
    this.#isDelivering = false;
    // The one place where the log ends a stream.
    if (state === 'ended' || state === 'slow' || state === 'closed' || state === 'lost') this.#end(state);
    else if (state === 'turn-spent') this.#continueLater();
    else if (this.#reader.hasBackfill) this.#updateRetentions();
  }

  /** Continues in a later turn. What it needs is retained until then. */
  #continueLater(): void {
    this.#reader.isTurnSpent = false;
    this.#isScheduled = true;
    this.#retentions ??= new Retentions();
    this.#retentions.retain(this.#reader);
    this.#target.context.loop.add(this);
  }

  #end(outcome: DeliveryOutcome, error?: unknown): void {
    if (this.#phase === 'over') return;
    if (outcome === 'closed') this.#writer.writeDirectSends();
    const pending = this.#reader.takePending();
    if (pending !== undefined) this.#target.writer.write(pending);
    // Whatever ends a response that has channels, its client learns from where it can resume.
    const marker = this.#lastMarker(outcome);
    if (marker !== undefined) this.#target.writer.write(marker);
    this.#target.deliveryOver(outcome, error);
  }

  #lastMarker(outcome: DeliveryOutcome): Frame | undefined {
    const reader = this.#reader;
    if (!this.#target.hasMarkers) return undefined;
    if (outcome === 'ended') return reader.mark('.');
    if (reader.hasSentId) return undefined;
    // Before the start is known, the id that the client came with is still right.
    const id = parseId(this.#lastEventId ?? '') === undefined ? UNKNOWN_ID : this.#lastEventId;
    if (!this.#hasBegun) return createMarker(id ?? UNKNOWN_ID, { retry: this.#retry });
    return reader.mark(reader.hasBackfill ? '~' : '');
  }

  // Direct sends, markers, closing

  /** Sends a frame in its place: after everything that was published before. */
  send(frame: Frame | Comment): void {
    this.catchUp();
    if (this.#phase === 'over') return;
    // How far this process is behind the broker is known when the channels have been opened.
    const isBehind = !this.#hasBegun && this.#target.context.sync !== undefined;
    const after = isBehind ? Number.POSITIVE_INFINITY : this.#log.head;
    this.#writer.send(frame, this.isLive && !this.#isDelivering, after);
  }

  /**
   * A marker in place of a heartbeat, if the client's id is older than the stream's position.
   *
   * @param event its name. Default: that of markers.
   */
  heartbeatMarker(event?: string): Frame | undefined {
    if (this.isLive && this.#epoch !== this.#log.epoch) this.startOver();
    return this.isLive && this.#writer.isIdle ? this.#reader.headMarker(event) : undefined;
  }

  /** The stream takes nothing more: delivers what was published before, then ends with `closed`. */
  close(): void {
    // Not later: the client may ask for other channels next, from this position.
    this.#writer.close(this.#log.now === undefined ? Number.POSITIVE_INFINITY : this.#log.head);
    if (this.#mustWaitToClose) this.catchUp();
    else this.#end('closed');
  }

  /** A client that has an id resumes from it, and need not wait for a broker. */
  get #mustWaitToClose(): boolean {
    if (this.#hasBegun) return this.#phase === 'live';
    return this.#target.context.sync === undefined || this.#lastEventId === undefined;
  }

  /** The broker has not answered in time: a stream that closes waits no longer. */
  stopWaiting(): void {
    if (this.#writer.isClosing && !this.#hasBegun) this.#end('closed');
  }

  /** Cancels all subscriptions, for good. */
  stop(): void {
    this.#phase = 'over';
    this.#subscriptions.clear();
    this.#reader.clear();
    this.#retentions?.release();
    this.#writer.clear();
  }

  // What can happen to the log

  lose(channels: ReadonlySet<string>): void {
    if (!this.#hasBegun) return;
    if (this.#writer.isClosing) {
      // The client resumes from its last id, and gets a reset if it has missed something.
      this.#end('closed');
      return;
    }
    const lost = this.#subscriptions.list.filter(({ channel }) => channels.has(channel.name));
    this.#reader.reportLoss('history', lost);
    if (this.#reader.hasUnreportedLoss) {
      this.#end('lost');
      return;
    }
    for (const { channel, options } of lost) this.#subscribe([channel.name], { filter: options.filter });
  }

  startOver(): void {
    if (this.#phase === 'over') return;
    const hadBegun = this.#hasBegun;
    const isLoading = this.#phase === 'opening' || this.#phase === 'adding';
    // Any id that is not of this epoch: the client gets a reset.
    this.#lastEventId = '';
    this.#reader.clear();
    this.#writer.limit(0);
    this.#subscriptions.renew();
    if (hadBegun || isLoading) this.#phase = 'opening';
    if (this.#writer.isClosing) this.#end('closed');
    else if (hadBegun && !isLoading) this.#load('opening');
  }

  snapshotSettled(error?: unknown): void {
    if (error === undefined) this.#schedule();
    else this.#end('error', error);
  }

  /** Entries that it cannot be given for now are not trimmed: while it waits, and until a scheduled delivery. */
  #updateRetentions(): void {
    // What was retained while it waited is needed until it is delivered.
    const isDue = this.#isScheduled && (this.#reader.hasBackfill || this.#retentions?.isActive === true);
    const isNeeded = this.#phase === 'adding' || (this.isLive && (isDue || this.#reader.isWaiting));
    if (!isNeeded) {
      this.#retentions?.release();
      return;
    }
    this.#retentions ??= new Retentions();
    this.#retentions.retain(this.#reader);
  }
}
