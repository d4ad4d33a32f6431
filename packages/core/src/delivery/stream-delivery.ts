import { nextTurn, TURN_BUDGET } from '../base/event-loop.ts';
import { invalid } from '../base/option-checks.ts';
import type { BrokerSync } from '../log/broker-sync.ts';
import type { ChannelLog } from '../log/channel-log.ts';
import type { ChannelWaiter, LogListener } from '../log/listener.ts';
import type { Log } from '../log/log.ts';
import { type Position, parseId, UNKNOWN_ID } from '../protocol/event-id.ts';
import type { Frame } from '../protocol/frame.ts';
import { createMarker } from '../protocol/marker.ts';
import type { SnapshotListener } from './backfill.ts';
import type { DeliveryLoop } from './delivery-loop.ts';
import { DirectSendQueue } from './direct-send-queue.ts';
import { Gap, LogReader, type Next, type ReaderStream } from './log-reader.ts';
import { findStart } from './resume.ts';
import { Retentions } from './retentions.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import { type Beginning, Subscription } from './subscription.ts';

/** What the deliveries of a hub share. */
export interface DeliveryContext {
  readonly log: Log;
  readonly loop: DeliveryLoop;
  /** Absent: the log is in this process. */
  readonly sync: BrokerSync | undefined;
}

/** The stream that a delivery writes to. */
export interface DeliveryTarget extends ReaderStream {
  readonly context: DeliveryContext;
  readonly lastEventId: string | undefined;
  readonly hasRoom: boolean;
  /** Something was sent before the headers, and waits for them. */
  readonly hasUnsent: boolean;
  write(frame: Frame): void;
  /** The client resumes after the last event that it received. */
  resumed(): void;
  /** What was sent while the stream was behind has been written. */
  directSendsWritten(): void;
  /** The delivery can begin: the headers may go out. `isFinished`: there is nothing to deliver, now or later. */
  deliveryReady(isFinished: boolean): void;
  /**
   * The delivery is over, and the stream ends.
   *
   * - `ended`: its channels have ended, and everything was delivered.
   * - `slow`: entries it needs were trimmed, and its channel has `overflow: 'disconnect'`.
   * - `error`: a snapshot failed.
   * - `closed`: the stream was closed, and what was published before has been delivered.
   */
  deliveryOver(outcome: 'ended' | 'slow' | 'error' | 'closed', error?: unknown): void;
}

/**
 * - `gathering`: subscriptions are collected, until the headers are due or to the end of the turn.
 * - `opening`: the broker is asked for the channels, before the stream begins.
 * - `live`: entries are delivered.
 * - `adding`: the broker is asked for channels that were subscribed to later. Nothing is delivered meanwhile.
 * - `over`.
 */
type Phase = 'gathering' | 'opening' | 'live' | 'adding' | 'over';

const NONE: readonly Subscription[] = [];

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
export class StreamDelivery implements LogListener, ChannelWaiter, SnapshotListener {
  readonly #target: DeliveryTarget;
  readonly #reader: LogReader;
  #phase: Phase = 'gathering';
  /** Subscriptions of the turn of the first one resume after Last-Event-ID. */
  #isFirstTurn = true;
  /** The id after which it begins. */
  #lastEventId: string | undefined;
  #directSends: DirectSendQueue | undefined;
  /** The stream closes when it has received everything up to here. */
  #closeAfter: Position | undefined;
  #retentions: Retentions | undefined;
  /** It is on the list of the delivery loop, and what it needs is retained until then. */
  #isScheduled = false;
  #isDelivering = false;
  #epoch: string | undefined;

  constructor(target: DeliveryTarget) {
    this.#target = target;
    this.#reader = new LogReader(target.context.log, target, this);
    this.#lastEventId = target.lastEventId;
    nextTurn(() => {
      this.#isFirstTurn = false;
    });
  }

  get #log(): Log {
    return this.#target.context.log;
  }

  /** Subscriptions are still being collected. */
  get isGathering(): boolean {
    return this.#phase === 'gathering';
  }

  get #hasBegun(): boolean {
    return this.#phase === 'live' || this.#phase === 'adding';
  }

  /** Bytes that the application sent and that wait for their place. */
  get bufferedBytes(): number {
    return this.#directSends?.bytes ?? 0;
  }

  // Subscriptions

  /** Without a `from`, existing subscriptions stay where they are, with the new filter. */
  subscribe(names: readonly string[], options: SubscribeOptions): void {
    const added = new Set(names);
    for (const subscription of options.from === undefined ? this.#reader.subscriptions : NONE) {
      if (added.delete(subscription.channel.name)) subscription.setFilter(options.filter);
    }
    this.#subscribe([...added], options);
  }

  #subscribe(names: readonly string[], options: SubscribeOptions): void {
    // Throws what the application's own options throw, before anything is changed.
    const added = names.map(name => this.#create(name, options));
    this.unsubscribe(names);
    const { subscriptions } = this.#reader;
    // A stream without subscriptions has missed nothing.
    if (subscriptions.length === 0 && this.#phase === 'live') this.#reader.position = this.#log.head;
    for (const subscription of added) this.#attach(subscription);
    // `push` and spread would reserve room for many more, and most streams have one.
    this.#reader.setSubscriptions(subscriptions.concat(added));
    if (this.#phase === 'live') this.#load('adding');
  }

  #create(name: string, options: SubscribeOptions): Subscription {
    const channel = this.#log.channels.get(name);
    if (options.from === 'state' && !channel.hasState) {
      throw invalid('from', `'state' only for a channel with \`compact\` or \`snapshot\``, name);
    }
    return new Subscription(channel, options, this.#log.now, !this.#isFirstTurn);
  }

  #attach(subscription: Subscription): void {
    subscription.channel.listeners.add(this);
    // Until the first delivery.
    subscription.channel.retentions.add(subscription);
  }

  #detach(subscription: Subscription): void {
    subscription.isCancelled = true;
    subscription.channel.retentions.delete(subscription);
    subscription.channel.listeners.delete(this);
  }

  unsubscribe(names: readonly string[]): void {
    const removed = new Set(names);
    const { subscriptions } = this.#reader;
    const others = subscriptions.filter(({ channel }) => !removed.has(channel.name));
    if (others.length === subscriptions.length) return;
    for (const each of subscriptions) if (removed.has(each.channel.name)) this.#detach(each);
    this.#reader.setSubscriptions(others);
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
    else if (phase === 'adding' && this.#closeAfter !== undefined) this.#end('closed');
    else this.#updateRetentions();
  }

  /** The channels that the broker has to be asked for, and after which position, as things are now. */
  wants(): Map<string, Position> {
    const beginning = this.#beginning;
    const isAhead = this.#newestNamed(beginning) > this.#log.head;
    const wants = new Map<string, Position>();
    for (const subscription of this.#unplaced) {
      const { channel } = subscription;
      subscription.readLosses = channel.losses;
      const after = subscription.neededAfter(this.#log, beginning);
      if (isAhead || channel.lacks(after)) wants.set(channel.name, after);
    }
    return wants;
  }

  /** The newest position that the client or the application names: this process may not have reached it yet. */
  #newestNamed({ last = 0 }: Beginning): Position {
    let newest = last;
    for (const subscription of this.#unplaced) {
      newest = Math.max(newest, subscription.newestNamed(this.#log));
    }
    return newest;
  }

  get #beginning(): Beginning {
    if (this.#hasBegun) return { lastEventId: undefined, last: undefined };
    return { lastEventId: this.#lastEventId, last: this.#log.positionIn(this.#lastEventId) };
  }

  get #unplaced(): readonly Subscription[] {
    const { subscriptions } = this.#reader;
    return this.#hasBegun ? subscriptions.filter(({ hasStart }) => !hasStart) : subscriptions;
  }

  loaded(): void {
    if (this.#phase !== 'opening' && this.#phase !== 'adding') return;
    try {
      // What was lost, or subscribed to, while the broker was asked is asked for before it begins.
      if (this.#isOutdated) this.#load(this.#phase);
      else if (this.#phase === 'opening') this.#begin();
      else this.#add();
    } catch (error) {
      this.#end('error', error);
    }
  }

  /** Subscriptions were added, or entries lost, since the broker was asked. */
  get #isOutdated(): boolean {
    if (this.#target.context.sync === undefined) return false;
    return this.#unplaced.some(({ channel, readLosses }) => readLosses !== channel.losses);
  }

  #begin(): void {
    const start = findStart(this.#log, this.#reader.subscriptions, this.#lastEventId);
    this.#phase = 'live';
    this.#epoch = this.#log.epoch;
    this.#directSends?.limit(this.#log.head);
    if (start === undefined) {
      this.#reader.position = this.#log.head;
      this.#ready(true);
      return;
    }
    this.#closeAfter &&= Math.min(this.#closeAfter, this.#log.head);
    if (start.isResumed) this.#target.resumed();
    this.#reader.begin(start);
    this.#ready(this.#isIdle && this.#reader.isFinished && !this.#target.hasUnsent);
  }

  /** @param isFinished there is nothing to deliver, now or later. */
  #ready(isFinished: boolean): void {
    this.#target.deliveryReady(isFinished);
    if (!isFinished) this.#schedule();
    // The headers had been sent already.
    else this.#end('ended');
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

  /** Nothing is to be written but the entries of the log. */
  get #isIdle(): boolean {
    return this.#reader.isInOrder && (this.#directSends?.isEmpty ?? true);
  }

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
      for (const subscription of this.#reader.subscriptions) {
        subscription.channel.retentions.delete(subscription);
      }
      this.#updateRetentions();
    }
    this.#isDelivering = true;
    let outcome: 'ended' | 'slow' | 'closed' | undefined;
    try {
      outcome = this.#deliver();
      if (this.#directSends?.isEmpty) this.#target.directSendsWritten();
    } catch (error) {
      this.#isDelivering = false;
      this.#end('error', error);
      return;
    }
    this.#isDelivering = false;
    // The one place where the log ends a stream.
    if (outcome !== undefined) this.#end(outcome);
  }

  /** Writes as much as there is room for. Returns how the stream ends, if it does. */
  #deliver(): 'ended' | 'slow' | 'closed' | undefined {
    let start = 0;
    let frames = 0;
    while (this.#phase === 'live' && this.#target.hasRoom) {
      const next = this.#next();
      if (next === 'waiting') return this.#closeAfter === undefined ? undefined : 'closed';
      if (next === 'caught-up') {
        // A filter may have subscribed, or sent.
        if (!this.#isIdle || this.#phase !== 'live') continue;
        if (this.#isClosed) return 'closed';
        if (this.#reader.isFinished) return this.#isIdle ? 'ended' : undefined;
        const marker = this.#reader.dueMarker();
        if (marker !== undefined) this.#target.write(marker);
        return undefined;
      }
      if (next instanceof Gap) {
        if (next.subscriptions.some(({ channel }) => channel.overflow === 'disconnect')) return 'slow';
        this.#reader.skip(next);
        this.#updateRetentions();
      } else if (next !== 'more') this.#target.write(next);
      // One stream must not hold the event loop. Most have one frame, and need no clock.
      frames += 1;
      if (frames === 2) start = performance.now();
      const isTurnSpent = frames > 2 && performance.now() - start > TURN_BUDGET;
      if (isTurnSpent || this.#reader.isTurnSpent) {
        this.#reader.isTurnSpent = false;
        this.#yield();
        return undefined;
      }
    }
    return undefined;
  }

  /** Continues in a later turn. What it needs is retained until then. */
  #yield(): void {
    this.#isScheduled = true;
    this.#retentions ??= new Retentions();
    this.#retentions.retain(this.#reader);
    this.#target.context.loop.add(this);
  }

  #next(): Next {
    const reader = this.#reader;
    const upTo = this.#directSends?.nextAfter ?? this.#closeAfter ?? this.#log.head;
    if (!reader.isInOrder) return reader.next(upTo);
    return this.#directSends?.take(reader.position) ?? reader.nextEntries(upTo);
  }

  get #isClosed(): boolean {
    return this.#closeAfter !== undefined && this.#reader.position >= this.#closeAfter;
  }

  #end(outcome: 'ended' | 'slow' | 'error' | 'closed', error?: unknown): void {
    if (this.#phase === 'over') return;
    if (outcome === 'closed') this.#writeDirectSends();
    // Whatever ends a response that has channels, its client learns from where it can resume.
    const marker = this.#lastMarker(outcome);
    if (marker !== undefined) this.#target.write(marker);
    this.#target.deliveryOver(outcome, error);
  }

  #lastMarker(outcome: 'ended' | 'slow' | 'error' | 'closed'): Frame | undefined {
    const reader = this.#reader;
    if (outcome === 'ended') return reader.mark('.');
    if (reader.hasSentId || reader.subscriptions.length === 0) return undefined;
    // Before the start is known, the id that the client came with is still right.
    const id = parseId(this.#lastEventId ?? '') === undefined ? UNKNOWN_ID : this.#lastEventId;
    if (!this.#hasBegun) return createMarker(id ?? UNKNOWN_ID);
    return reader.mark(reader.hasBackfill ? '~' : '');
  }

  // Direct sends, markers, closing

  /** Sends a frame in its place: after everything that was published before. */
  send(frame: Frame): void {
    this.catchUp();
    if (this.#phase === 'over') return;
    const isAtHead =
      this.#phase === 'live' &&
      this.#isIdle &&
      !this.#isDelivering &&
      this.#reader.position >= this.#log.head;
    if (isAtHead && this.#target.hasRoom) {
      this.#target.write(frame);
      return;
    }
    this.#directSends ??= new DirectSendQueue();
    // How far this process is behind the broker is known when the channels have been opened.
    this.#directSends.push(frame, this.#phase === 'opening' ? Number.POSITIVE_INFINITY : this.#log.head);
  }

  /** A marker in place of a heartbeat, if the client's id is older than the stream's position. */
  heartbeatMarker(): Frame | undefined {
    return this.#phase === 'live' && this.#isIdle ? this.#reader.headMarker() : undefined;
  }

  /** The stream takes nothing more: delivers what was published before, then ends with `closed`. */
  close(): void {
    // Not later: the client may ask for other channels next, from this position.
    this.#closeAfter ??= this.#log.now === undefined ? Number.POSITIVE_INFINITY : this.#log.head;
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
    if (this.#closeAfter !== undefined && !this.#hasBegun) this.#end('closed');
  }

  /** What was sent goes out, though entries that were published before it do not. */
  #writeDirectSends(): void {
    this.#directSends?.limit(0);
    for (let frame = this.#directSends?.take(0); frame !== undefined; frame = this.#directSends?.take(0)) {
      this.#target.write(frame);
    }
  }

  /** Cancels all subscriptions, for good. */
  stop(): void {
    this.#phase = 'over';
    for (const subscription of this.#reader.subscriptions) this.#detach(subscription);
    this.#reader.clear();
    this.#retentions?.release();
    this.#directSends?.clear();
  }

  // What can happen to the log

  lose(channels: ReadonlySet<ChannelLog>): void {
    if (!this.#hasBegun) return;
    const lost = this.#reader.subscriptions.filter(({ channel }) => channels.has(channel));
    this.#reader.reportLoss('history', lost);
    for (const { channel, options } of lost) this.#subscribe([channel.name], { filter: options.filter });
  }

  startOver(): void {
    if (this.#phase === 'over') return;
    const { subscriptions } = this.#reader;
    const hadBegun = this.#hasBegun;
    const isLoading = this.#phase === 'opening' || this.#phase === 'adding';
    // Any id that is not of this epoch: the client gets a reset.
    this.#lastEventId = '';
    this.#reader.clear();
    this.#directSends?.limit(0);
    this.#closeAfter &&= Number.POSITIVE_INFINITY;
    this.#isFirstTurn = true;
    this.#reader.setSubscriptions(subscriptions.map(old => this.#create(old.channel.name, old.options)));
    this.#isFirstTurn = false;
    for (const subscription of this.#reader.subscriptions) this.#attach(subscription);
    if (hadBegun && !isLoading) this.#load('opening');
    else if (isLoading) this.#phase = 'opening';
  }

  snapshotSettled(error?: unknown): void {
    if (error === undefined) this.#schedule();
    else this.#end('error', error);
  }

  /** Entries that it cannot be given for now are not trimmed: while it waits, and until a scheduled delivery. */
  #updateRetentions(): void {
    const isNeeded =
      this.#phase === 'adding' ||
      (this.#phase === 'live' && this.#reader.hasBackfill && (this.#isScheduled || this.#reader.isWaiting));
    if (!isNeeded) {
      this.#retentions?.release();
      return;
    }
    this.#retentions ??= new Retentions();
    this.#retentions.retain(this.#reader);
  }
}
