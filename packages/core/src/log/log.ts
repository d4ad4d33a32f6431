import type { Scheduler } from '../base/scheduler.ts';
import { createEpoch, formatId, type IdSuffix, type Position, parseId } from '../protocol/event-id.ts';
import { CONTROL_CHANNEL, type Page } from './broker/broker.ts';
import type { ChannelLog } from './channel-log.ts';
import { Channels } from './channels.ts';
import { type Entry, LogEntry, type NewEntry } from './entry.ts';
import type { ChannelSettings } from './keep.ts';
import type { LogListener } from './listener.ts';
import { createLogRange } from './log-range.ts';
import { LostPositions } from './lost-positions.ts';
import { Undelivered } from './undelivered/undelivered.ts';

/** What the log needs of its hub. */
export interface LogOptions {
  /** Returns the settings of a channel. */
  settingsOf: (name: string) => ChannelSettings;
  /** Maximum bytes of all histories together. */
  maxBytes: number;
  /** A broker gives positions to entries. */
  isRemote: boolean;
  scheduler: Scheduler;
  /** Each event is sent with the name of its channel. */
  hasChannelField: boolean;
  /** Called when a channel is dropped from memory. */
  onDropped: (name: string) => void;
}

/** The entries that the delivery loop delivers in one round. */
export interface Round {
  readonly epoch: string | undefined;
  /** The channels with new entries that are due. */
  readonly channels: ReadonlySet<ChannelLog>;
  /** The newest position. The streams of these channels receive all entries up to this position. */
  readonly upTo: Position;
  /** After the round, every live stream has received all entries up to this position. Flush windows have newer ones. */
  readonly deliveredUpTo: Position;
  /** Bytes of the new entries. */
  readonly bytes: number;
}

/**
 * The log of a hub, which puts all events in one order. Streams have no queue of their own: each holds an offset into
 * this shared log. With a broker, this log has a part of the broker's log, and {@link BrokerSync} keeps the two in
 * sync.
 */
export class Log {
  /** The newest position. */
  head: Position = 0;
  /** The newest position when this epoch began in this process. */
  origin: Position = 0;
  readonly channels: Channels;
  /** Called with each control message, in the order of the log. */
  onControl: (entry: Entry) => void = () => {};
  /** Called when there may be something to deliver. */
  onAdvance: () => void = () => {};
  /** There may be something to deliver since the last call of `takeRound`. */
  hasNews = false;
  readonly #scheduler: Scheduler;
  readonly #isRemote: boolean;
  readonly #hasChannelField: boolean;
  #epoch: string | undefined;
  /** The newest position that the broker has returned to this process. */
  #acknowledged: Position = 0;
  readonly #lost = new LostPositions();
  readonly #undelivered: Undelivered;

  constructor(options: LogOptions) {
    this.#scheduler = options.scheduler;
    this.#isRemote = options.isRemote;
    this.#hasChannelField = options.hasChannelField;
    this.channels = new Channels(options);
    this.#undelivered = new Undelivered(this.channels, () => this.#advanced());
  }

  /** Every live stream has received all entries up to this position. */
  get deliveredUpTo(): Position {
    return this.channels.deliveredUpTo;
  }

  get epoch(): string {
    this.#epoch ??= createEpoch();
    return this.#epoch;
  }

  /** The newest position known to this process. With a broker, entries up to it may not have arrived yet. */
  get known(): Position {
    return Math.max(this.head, this.#acknowledged);
  }

  /** {@link known}; undefined until the broker has returned the position of its log. */
  get now(): Position | undefined {
    return this.#isRemote && this.#epoch === undefined ? undefined : this.known;
  }

  /** ms, by the clock of the hub. */
  get time(): number {
    return this.#scheduler.now;
  }

  id(position: Position, suffix?: IdSuffix): string {
    return formatId(this.epoch, position, suffix);
  }

  /** The position of an id of this epoch. It may be newer than the head of this process. */
  positionIn(id: string | undefined): Position | undefined {
    const parsed = parseId(id ?? '');
    return parsed !== undefined && parsed.epoch === this.#epoch ? parsed.position : undefined;
  }

  /** The position of an id, if a client can resume from it. */
  positionOf(id: string | undefined): Position | undefined {
    const position = this.positionIn(id);
    if (position === undefined || position > this.head) return undefined;
    return this.#lost.has(position) ? undefined : position;
  }

  /** Appends an entry, and assigns its position. For a hub without a broker. */
  append(draft: NewEntry): Position {
    const position = this.head + 1;
    this.#append(this.channels.get(draft.channel), { ...draft, position });
    return position;
  }

  #append(channel: ChannelLog, entry: Entry): void {
    // Applied before any later entry is delivered.
    if (entry.kind === 'control') this.onControl(entry);
    const logged = this.#log(entry);
    this.head = entry.position;
    this.channels.touch(channel);
    this.channels.count(channel, () => channel.append(logged));
    const isDue = this.#undelivered.add(channel, logged);
    this.channels.evict();
    // Entries that wait in flush windows cannot be evicted, so they are delivered now.
    if (this.channels.exceedsBound) this.#undelivered.endWindows();
    if (isDue) this.#advanced();
  }

  #advanced(): void {
    this.hasNews = true;
    this.onAdvance();
  }

  #log(entry: Entry): LogEntry {
    return new LogEntry(entry, this.epoch, this.#scheduler.now, this.#hasChannelField);
  }

  /** Begins a round with the channels that have new entries. */
  takeRound(): Round {
    this.hasNews = false;
    const { channels, bytes, waitingAfter } = this.#undelivered.takeDue();
    const deliveredUpTo = Math.min(this.head, waitingAfter);
    return { epoch: this.#epoch, channels, upTo: this.head, deliveredUpTo, bytes };
  }

  /** Ends a round: every live stream has received its entries, so that they may be trimmed. */
  endRound({ epoch, channels, upTo, deliveredUpTo, bytes }: Round): void {
    if (epoch !== this.#epoch) return;
    this.#undelivered.deliver(bytes);
    this.channels.deliveredUpTo = deliveredUpTo;
    for (const channel of channels) this.channels.trim(channel, upTo);
    this.channels.evict();
  }

  /** From now on, all entries are delivered in the next iteration of the event loop. */
  closeWindows(): void {
    this.#undelivered.closeWindows();
  }

  /** Sets the first epoch of a broker's log, and its newest position. */
  begin(epoch: string, head: Position): void {
    this.#epoch = epoch;
    this.#reset(head);
  }

  /** Appends entries of a broker. Entries of channels that are not in memory only advance the head. */
  appendRemote(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const channel = this.channels.find(entry.channel);
      if (channel === undefined) this.advance(entry.position);
      else this.#append(channel, entry);
    }
  }

  /** Advances the head: no entry up to this position is missing. */
  advance(head: Position): void {
    if (head <= this.head) return;
    this.head = head;
    this.#advanced();
  }

  /** Records a position that the broker has returned. Its epoch may be outdated by now. Returns the position's id. */
  acknowledge(epoch: string, position: Position): string {
    if (epoch === this.#epoch) this.#acknowledged = Math.max(this.#acknowledged, position);
    return formatId(epoch, position);
  }

  /** Adds a page that was read from the broker to a channel. For `after` and `upTo`, see {@link createLogRange}. */
  fill(channel: ChannelLog, page: Page, after: Position, upTo: Position): void {
    const entries = page.entries.map(entry => this.#log(entry));
    const range = createLogRange(page, entries, after, upTo, channel.history.keep.compact);
    const wasOpen = channel.isOpen;
    const isNewerHere = channel.history.newest > upTo;
    // Moves the channel to the end of the order of eviction: a stream is about to read it.
    this.channels.touch(channel);
    this.channels.count(channel, () => channel.fill(range));
    this.channels.evict();
    // A later `end` arrives through the sink. So does every `end` of an open channel: the page may be older than a `begin`.
    const endedAt = page.endedAt !== undefined && page.endedAt <= upTo ? page.endedAt : undefined;
    // If the page has an `end`, the first newer entry is a `begin`. The page may have entries that were dropped here.
    if (isNewerHere) channel.beginAfter(Math.max(endedAt ?? 0, channel.droppedUpTo));
    else if (!wasOpen) channel.endedAt = endedAt;
  }

  /** The broker has lost the entries between these positions. No client can resume from such a position. */
  break(after: Position, before: Position): void {
    this.#lost.add(after, before);
  }

  /** Entries of these channels were lost before they arrived from the broker. */
  lose(channels: Iterable<ChannelLog>): void {
    // The control channel first: it may close streams. Their clients resume from their position and need no reset.
    const isControl = ({ name }: ChannelLog) => Number(name === CONTROL_CHANNEL);
    const lost = [...channels].sort((one, other) => isControl(other) - isControl(one));
    const listeners = new Set<LogListener>();
    for (const channel of lost) {
      // A channel that is being opened is read again; see BrokerSync.
      if (channel.isOpen) for (const listener of channel.listeners) listeners.add(listener);
      this.channels.count(channel, () => channel.lose(this.head));
    }
    const names = new Set(lost.map(({ name }) => name));
    for (const listener of listeners) listener.lose(names);
  }

  /** Begins a new epoch: older positions are invalid, and every stream begins again. */
  startOver(epoch: string, head: Position): void {
    const listeners = new Set(this.channels.clear().flatMap(channel => [...channel.listeners]));
    this.#epoch = epoch;
    this.#acknowledged = head;
    this.#lost.clear();
    this.#reset(head);
    for (const listener of listeners) listener.startOver();
    this.#advanced();
  }

  #reset(head: Position): void {
    this.origin = this.head = this.channels.deliveredUpTo = head;
    this.#undelivered.clear();
  }
}
