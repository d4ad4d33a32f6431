import type { Meter } from '../hub/meter.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Subscriber } from '../subscriber/subscriber.ts';
import type { Page } from './broker.ts';
import type { ChannelSettings, ChannelState } from './channel.ts';
import { Channels, type ChannelsHost } from './channels.ts';
import { type Entry, LogEntry } from './entry.ts';
import { Flush, type FlushHost } from './flush.ts';
import type { Mirror } from './mirror.ts';
import { createEpoch, formatId, type IdSuffix, type Position, parseId } from './position.ts';

/** Bytes of all channels that may wait for a round of the flush to pass them. */
const PINNED = 16 * 1024 * 1024;

/**
 * The one order of a hub's events. A stream owns no queue: it has a position, and what it has not been given is what
 * stands after that in the histories of its channels.
 */
export class Log implements FlushHost, ChannelsHost {
  /** The newest position. */
  head: Position = 0;
  /** The newest position when this log began. */
  origin: Position = 0;
  /** Fetches what is not here, when there is a broker. */
  mirror: Mirror | undefined;
  readonly channels: Channels;
  readonly #scheduler: Scheduler;
  readonly #flush = new Flush(this);
  #epoch: string | undefined;
  #acknowledged: Position = 0;
  #breaks: [after: Position, before: Position][] = [];

  /**
   * @param settingsOf how a channel is kept, by its name.
   * @param maxBytes that the histories of all channels take together.
   */
  constructor(
    settingsOf: (name: string) => ChannelSettings,
    maxBytes: number,
    scheduler: Scheduler,
    meter: Meter,
  ) {
    this.#scheduler = scheduler;
    this.channels = new Channels(this, settingsOf, maxBytes, scheduler, meter);
  }

  /** Every live stream has been given everything up to here. */
  get passed(): Position {
    return this.#flush.passed;
  }

  isDue(channel: ChannelState): boolean {
    return this.#flush.isDue(channel);
  }

  get epoch(): string {
    this.#epoch ??= createEpoch();
    return this.#epoch;
  }

  /** The newest position that anybody here has heard of: with a broker, entries may be on their way. */
  get known(): Position {
    return Math.max(this.head, this.#acknowledged);
  }

  id(position: Position, suffix?: IdSuffix): string {
    return formatId(this.epoch, position, suffix);
  }

  /** The position of an id; undefined if it is none of this log's. */
  positionOf(id: string): Position | undefined {
    const { epoch, position = 0 } = parseId(id) ?? {};
    const isBroken = this.#breaks.some(([after, before]) => after < position && position < before);
    const isOurs = epoch !== undefined && epoch === this.#epoch;
    return isOurs && position <= this.head && !isBroken ? position : undefined;
  }

  /** What is newer than it has yet to come; undefined as long as a broker has not said where it stands. */
  get now(): Position | undefined {
    return this.mirror === undefined || this.#epoch !== undefined ? this.known : undefined;
  }

  /** Has a stream visited that was behind and has room again, or has just begun. */
  wake(subscriber: Subscriber): void {
    this.#flush.wake(subscriber);
  }

  /** Adds the next entry of the order, where no broker gives it its position. */
  append(draft: Omit<Entry, 'position'>): Position {
    const position = this.head + 1;
    this.#accept(this.channels.get(draft.channel), { ...draft, position });
    return position;
  }

  #accept(channel: ChannelState, entry: Entry): void {
    const logged = new LogEntry(entry, this.epoch, this.#scheduler.now);
    this.head = entry.position;
    this.channels.touch(channel);
    this.#flush.add(channel, logged.size);
    this.channels.count(channel, () => channel.append(logged));
    if (this.#flush.pinned > PINNED) this.channels.trim(channel, this.head);
    this.channels.evict();
  }

  roundEnded(channels: Iterable<ChannelState>): void {
    for (const channel of channels) this.channels.trim(channel);
    this.channels.evict();
  }

  // From here on, what a broker says.

  /** What its life of the log is called, and its newest position. */
  begin(epoch: string, head: Position): void {
    this.#epoch = epoch;
    this.origin = this.head = head;
    this.#flush.startOver(head);
  }

  /** Adds what has come: of channels that nobody follows here, no more than the position. */
  mirrorEntries(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const channel = this.channels.find(entry.channel);
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

  /** A position has been given, which may be of another life by now. Returns its id. */
  acknowledge(epoch: string, position: Position): string {
    if (epoch === this.#epoch) this.#acknowledged = Math.max(this.#acknowledged, position);
    return formatId(epoch, position);
  }

  /**
   * Takes what it has of a channel.
   *
   * @param after the page has what comes after it; 0: the broker was asked for all.
   * @param upto and nothing newer than this.
   */
  fill(
    channel: ChannelState,
    { entries, trimmedUpTo, last, endedAt }: Page,
    after: Position,
    upto: Position,
  ): void {
    const now = this.#scheduler.now;
    const logged = entries.map(entry => new LogEntry(entry, this.epoch, now));
    const isAll = after === 0;
    // What has left meanwhile, and is newer, is on its way here: it is not lost.
    const lost = Math.min(upto, Math.max(trimmedUpTo, after));
    this.channels.count(channel, () => channel.fill(logged, lost, upto, last, isAll));
    channel.endedAt ??= endedAt;
  }

  /** Positions from after one to before another were given to what has been lost. */
  broken(after: Position, before: Position): void {
    this.#breaks.push([after, before]);
  }

  /** Something of these channels that was to come is gone. */
  lost(names: Iterable<string> = this.channels.names()): void {
    const channels = new Set([...names].flatMap(name => this.channels.find(name) ?? []));
    const subscribers = new Set<Subscriber>();
    for (const channel of channels) {
      channel.lostAt = this.head;
      // What is being fetched is fetched again.
      if (!channel.isOpen) continue;
      this.channels.count(channel, () => channel.lose(this.head));
      for (const subscriber of channel.subscribers) subscribers.add(subscriber);
    }
    for (const subscriber of subscribers) subscriber.lose(channels);
  }

  /** Positions begin anew: all that is here is of no use any more, and every stream begins again. */
  startOver(epoch: string, head: Position): void {
    const subscribers = new Set(this.channels.clear().flatMap(({ subscribers }) => [...subscribers]));
    this.#epoch = epoch;
    this.origin = this.head = this.#acknowledged = head;
    this.#breaks = [];
    // They may follow nothing, and have something to say.
    for (const subscriber of this.#flush.startOver(head)) subscribers.add(subscriber);
    for (const subscriber of subscribers) subscriber.startOver();
  }
}
