import type { Page } from './broker.ts';
import { type ChannelSettings, ChannelState } from './channel.ts';
import { type Entry, LogEntry } from './entry.ts';
import { Flush, type FlushHost } from './flush.ts';
import type { Meter } from './meter.ts';
import type { Mirror } from './mirror.ts';
import { createEpoch, type EventId, formatId, type IdSuffix, type Position, parseId } from './position.ts';
import { nextTurn, type Scheduler, type Timed, TURN_BUDGET } from './scheduler.ts';
import type { Subscriber } from './subscriber.ts';
import { type SubscribeOptions, Subscription } from './subscription.ts';

/** Bytes of all channels that may wait for a round of the flush to pass them. */
const PINNED = 16 * 1024 * 1024;

/** Ms between two sweeps, at least. */
const SWEEP_INTERVAL = 1_000;

/**
 * The one order of a hub's events. A stream owns no queue: it has a position, and what it has not been given is what
 * stands after that in the histories of its channels.
 */
export class Log implements FlushHost, Timed {
  slot: Set<Timed> | undefined;
  /** The newest position. */
  head: Position = 0;
  /** The newest position when this log began. */
  origin: Position = 0;
  /** Fetches what is not here, when there is a broker. */
  mirror: Mirror | undefined;
  readonly #channels = new Map<string, ChannelState>();
  readonly #settingsOf: (name: string) => ChannelSettings;
  readonly #scheduler: Scheduler;
  readonly #meter: Meter;
  readonly #maxBytes: number;
  #epoch: string | undefined;
  #acknowledged: Position = 0;
  #breaks: [after: Position, before: Position][] = [];
  /** Of all channels. */
  #bytes = 0;
  /** The highest position of all channels that were dropped: one that is made again may have lost all up to there. */
  #forgotten: Position = 0;

  /** Channels that a sweep under way has yet to come to. */
  #unswept: MapIterator<ChannelState> | undefined;
  /** Ms. */
  #shortestAge = Number.POSITIVE_INFINITY;
  readonly #flush = new Flush(this);

  constructor(
    settingsOf: (name: string) => ChannelSettings,
    maxBytes: number,
    scheduler: Scheduler,
    meter: Meter,
  ) {
    this.#settingsOf = settingsOf;
    this.#maxBytes = maxBytes;
    this.#scheduler = scheduler;
    this.#meter = meter;
  }

  /** Every live stream has been given everything up to here. */
  get passed(): Position {
    return this.#flush.passed;
  }

  get epoch(): string {
    this.#epoch ??= createEpoch();
    return this.#epoch;
  }

  /** The newest position that anybody here has heard of: with a broker, entries may be on their way. */
  get known(): Position {
    return Math.max(this.head, this.#acknowledged);
  }

  /** Whether an id is one of this log's. */
  knows(id: string | EventId): boolean {
    const { epoch, position } = (typeof id === 'string' ? parseId(id) : id) ?? {};
    if (position === undefined || epoch !== this.epoch || position > this.head) return false;
    return !this.#breaks.some(([after, before]) => after < position && position < before);
  }

  /** As a broker says. */
  begin(epoch: string, head: Position): void {
    this.#epoch = epoch;
    this.origin = this.head = head;
    this.#flush.startOver(head);
  }

  subscribe(name: string, options: SubscribeOptions): Subscription {
    const isStarted = this.mirror === undefined || this.#epoch !== undefined;
    return new Subscription(this.channel(name), options, isStarted ? this.known : undefined);
  }

  id(position: Position, suffix?: IdSuffix): string {
    return formatId(this.epoch, position, suffix);
  }

  /** How many channels there are. */
  get size(): number {
    return this.#channels.size;
  }

  /** Bytes that the histories take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A channel, made if need be. */
  channel(name: string): ChannelState {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      const settings = this.#settingsOf(name);
      channel = new ChannelState(name, settings, this.#forgotten, this.mirror !== undefined);
      this.#channels.set(name, channel);
      if (this.slot === undefined) this.#scheduler.add(this, this.#scheduler.now + settings.age / 4);
    }
    return channel;
  }

  /** A channel, if there is one now. */
  find(name: string): ChannelState | undefined {
    return this.#channels.get(name);
  }

  /** Adds the next entry of the order, where no broker gives it its position. */
  append(draft: Omit<Entry, 'position'>): Position {
    const position = this.head + 1;
    this.#accept(this.channel(draft.channel), { ...draft, position });
    return position;
  }

  #accept(channel: ChannelState, entry: Entry): void {
    const logged = new LogEntry(entry, this.epoch, this.#scheduler.now);
    this.head = entry.position;
    // The channel that was published to least recently is the first to lose its history.
    this.#channels.delete(channel.name);
    this.#channels.set(channel.name, channel);
    this.#flush.add(channel, logged.size);
    this.#count(channel, () => {
      channel.append(logged);
      if (this.#flush.pinned > PINNED) channel.endRound(this.head, this.#scheduler.now);
    });
    if (this.#bytes > this.#maxBytes) this.#evict();
  }

  /** Adds what a broker gives: of channels that nobody follows here, no more than the position. */
  mirrorEntries(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const channel = this.#channels.get(entry.channel);
      if (channel === undefined) this.seen(entry.position);
      else this.#accept(channel, entry);
    }
  }

  /** Nothing up to here is missing. */
  seen(head: Position): void {
    if (head <= this.head) return;
    this.head = head;
    this.#flush.schedule();
  }

  acknowledge(position: Position): void {
    this.#acknowledged = Math.max(this.#acknowledged, position);
  }

  /** Changes how a channel is kept, if it is there. */
  configure(name: string, settings: ChannelSettings): void {
    const channel = this.#channels.get(name);
    if (channel !== undefined) this.#count(channel, () => channel.configure(settings));
  }

  /**
   * Takes what a broker has of a channel.
   *
   * @param after the page has what comes after it; 0: the broker was asked for all.
   * @param upto and nothing newer than this.
   */
  fill(channel: ChannelState, { entries, floor, last, ended }: Page, after: Position, upto: Position): void {
    const now = this.#scheduler.now;
    const logged = entries.map(entry => new LogEntry(entry, this.epoch, now));
    this.#count(channel, () => channel.fill(logged, Math.max(floor, after), upto, last, after === 0));
    channel.endedAt ??= ended;
  }

  /** Positions from after one to before another were given to what has been lost. */
  broken(after: Position, before: Position): void {
    this.#breaks.push([after, before]);
  }

  /** Something of these channels that was to come is gone. */
  lost(names: Iterable<string> = this.#channels.keys()): void {
    const channels = new Set([...names].flatMap(name => this.#channels.get(name) ?? []));
    const subscribers = new Set<Subscriber>();
    for (const channel of channels) {
      channel.lostAt = this.head;
      // What is being fetched is fetched again.
      if (!channel.isOpen) continue;
      this.#count(channel, () => channel.lose(this.head));
      for (const subscriber of channel.subscribers) subscribers.add(subscriber);
    }
    for (const subscriber of subscribers) subscriber.lose(channels);
  }

  /** Positions begin anew: all that is here is of no use any more, and every stream begins again. */
  startOver(epoch: string, head: Position): void {
    const subscribers = new Set([...this.#channels.values()].flatMap(({ subscribers }) => [...subscribers]));
    this.#epoch = epoch;
    this.origin = this.head = this.#acknowledged = head;
    this.#breaks = [];
    this.#channels.clear();
    this.#bytes = this.#forgotten = 0;
    // They may follow nothing, and have something to say.
    for (const subscriber of this.#flush.startOver(head)) subscribers.add(subscriber);
    for (const subscriber of subscribers) subscriber.startOver();
  }

  /** Has a stream visited that was behind and has room again, or has just begun. */
  wake(subscriber: Subscriber): void {
    this.#flush.wake(subscriber);
  }

  roundEnded(channels: Iterable<ChannelState>): void {
    for (const channel of channels) {
      this.#count(channel, () => channel.endRound(this.passed, this.#scheduler.now));
    }
    if (this.#bytes > this.#maxBytes) this.#evict();
  }

  /** Sweeps the channels: drops what is too old, and forgets those that have nothing left. */
  visit(now: number): number {
    if (this.#unswept === undefined) {
      this.#unswept = this.#channels.values();
      this.#shortestAge = Number.POSITIVE_INFINITY;
      this.#sweep(now);
    }
    if (this.#channels.size === 0) this.#scheduler.delete(this);
    // What keeps nothing is gone with its round; it is not for a sweep to hurry after it.
    return now + Math.max(SWEEP_INTERVAL, this.#shortestAge / 4);
  }

  #sweep(now: number): void {
    const start = performance.now();
    for (const channel of this.#unswept ?? []) {
      this.#count(channel, () => channel.endRound(this.passed, now));
      this.#shortestAge = Math.min(this.#shortestAge, channel.history.keep.age);
      this.#forgetIfIdle(channel);
      if (performance.now() - start > TURN_BUDGET) {
        nextTurn(() => this.#sweep(now));
        return;
      }
    }
    this.#unswept = undefined;
  }

  /** States last: a compacted channel has each of its values once. */
  #evict(): void {
    for (const compact of [false, true]) {
      for (const channel of this.#channels.values()) {
        if (this.#bytes <= this.#maxBytes) return;
        if (channel.history.keep.compact !== compact || channel.history.size === 0) continue;
        this.#count(channel, () => channel.release(this.passed, this.#bytes - this.#maxBytes));
        this.#forgetIfIdle(channel);
      }
    }
  }

  /** Keeps the sum of all histories true through a change of one. */
  #count(channel: ChannelState, change: () => void): void {
    const before = channel.history.bytes;
    change();
    this.#bytes += channel.history.bytes - before;
  }

  #forgetIfIdle(channel: ChannelState): void {
    // What a broker keeps can be had again.
    if (channel.subscribers.size > 0 || (channel.history.size > 0 && this.mirror === undefined)) return;
    if (this.#flush.isDue(channel) || this.mirror?.isFetching(channel.name)) return;
    this.#forgotten = Math.max(this.#forgotten, channel.history.newest);
    this.#channels.delete(channel.name);
    this.#bytes -= channel.history.bytes;
    this.mirror?.shut(channel.name);
    this.#meter.channelDropped(channel.name);
  }
}
