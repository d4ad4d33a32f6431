import type { Scheduler } from '../base/scheduler.ts';
import { createEpoch, formatId, type IdSuffix, type Position, parseId } from '../protocol/event-id.ts';
import { CONTROL_CHANNEL, type Page } from './broker/broker.ts';
import type { ChannelLog } from './channel-log.ts';
import { Channels } from './channels.ts';
import { type Entry, LogEntry, type Unplaced } from './entry.ts';
import { createFilling } from './filling.ts';
import type { ChannelSettings } from './keep.ts';
import type { LogListener } from './listener.ts';
import { LostPositions } from './lost-positions.ts';
import { Undelivered } from './undelivered/undelivered.ts';

/** What the log takes from its hub. */
export interface LogOptions {
  /** How a channel is kept, by its name. */
  settingsOf: (name: string) => ChannelSettings;
  /** Bytes of all histories together. */
  maxBytes: number;
  /** A broker gives positions to entries. */
  isRemote: boolean;
  scheduler: Scheduler;
  /** Each event is sent with the name of its channel. */
  hasChannelField: boolean;
  /** Called when a channel is dropped from memory. */
  onDropped: (name: string) => void;
}

/** The channels with new entries that are due, and how far: what the delivery loop gives to streams in one round. */
export interface Round {
  readonly epoch: string | undefined;
  readonly channels: ReadonlySet<ChannelLog>;
  /** The newest position: streams of these channels are given everything up to here. */
  readonly upTo: Position;
  /** After the round, every live stream has been given everything up to here. Entries in flush windows are newer. */
  readonly deliveredUpTo: Position;
  /** Of the new entries. */
  readonly bytes: number;
}

/**
 * The one order of a hub's events. Streams have no queue of their own: each holds an offset into this shared log. With
 * a broker, this is a window of the broker's log, and {@link BrokerSync} keeps it in step.
 */
export class Log {
  /** The newest position. */
  head: Position = 0;
  /** The newest position when this epoch began here. */
  origin: Position = 0;
  readonly channels: Channels;
  /** Called with each control message, in the order of the log. */
  onControl: (entry: Entry) => void = () => {};
  /** Called when there may be something to deliver. */
  onAdvance: () => void = () => {};
  /** There may be something to deliver since the last round was taken. */
  hasNews = false;
  readonly #scheduler: Scheduler;
  readonly #isRemote: boolean;
  readonly #hasChannelField: boolean;
  #epoch: string | undefined;
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

  /** Every live stream has been given everything up to here. */
  get deliveredUpTo(): Position {
    return this.channels.deliveredUpTo;
  }

  get epoch(): string {
    this.#epoch ??= createEpoch();
    return this.#epoch;
  }

  /** The newest position that this process knows of. With a broker, entries up to it may be on their way. */
  get known(): Position {
    return Math.max(this.head, this.#acknowledged);
  }

  /** {@link known}; undefined until the broker has told where the log is. */
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

  /** The position of an id of this epoch, whether or not it has been reached here. */
  positionIn(id: string | undefined): Position | undefined {
    const parsed = parseId(id ?? '');
    return parsed !== undefined && parsed.epoch === this.#epoch ? parsed.position : undefined;
  }

  /** The position of an id from which a client can resume; undefined if there is none. */
  positionOf(id: string | undefined): Position | undefined {
    const position = this.positionIn(id);
    if (position === undefined || position > this.head) return undefined;
    return this.#lost.has(position) ? undefined : position;
  }

  /** Appends an entry where no broker gives it its position. */
  append(draft: Unplaced): Position {
    const position = this.head + 1;
    this.#append(this.channels.get(draft.channel), { ...draft, position });
    return position;
  }

  #append(channel: ChannelLog, entry: Entry): void {
    // Before anything that follows it is delivered.
    if (entry.kind === 'control') this.onControl(entry);
    const logged = this.#log(entry);
    this.head = entry.position;
    this.channels.touch(channel);
    this.channels.count(channel, () => channel.append(logged));
    const isDue = this.#undelivered.add(channel, logged);
    this.channels.evict();
    // What waits cannot be evicted.
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

  /** Begins a round: takes the channels that have new entries. */
  takeRound(): Round {
    this.hasNews = false;
    const { channels, bytes, waitingAfter } = this.#undelivered.takeDue();
    const deliveredUpTo = Math.min(this.head, waitingAfter);
    return { epoch: this.#epoch, channels, upTo: this.head, deliveredUpTo, bytes };
  }

  /** Ends a round: every live stream has been given its entries, so that they may be trimmed. */
  endRound({ epoch, channels, upTo, deliveredUpTo, bytes }: Round): void {
    if (epoch !== this.#epoch) return;
    this.#undelivered.deliver(bytes);
    this.channels.deliveredUpTo = deliveredUpTo;
    for (const channel of channels) this.channels.trim(channel, upTo);
    this.channels.evict();
  }

  /** Everything is delivered in the next turn, from now on. */
  closeWindows(): void {
    this.#undelivered.closeWindows();
  }

  // The rest is called by BrokerSync.

  /** The first epoch of a broker's log, and its newest position. */
  begin(epoch: string, head: Position): void {
    this.#epoch = epoch;
    this.#reset(head);
  }

  /** Appends entries of a broker. Of channels that are not in memory, only the position counts. */
  appendRemote(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const channel = this.channels.find(entry.channel);
      if (channel === undefined) this.advance(entry.position);
      else this.#append(channel, entry);
    }
  }

  /** No entry up to here is missing. */
  advance(head: Position): void {
    if (head <= this.head) return;
    this.head = head;
    this.#advanced();
  }

  /** The broker has given a position, in an epoch that may have passed since. Returns its id. */
  acknowledge(epoch: string, position: Position): string {
    if (epoch === this.#epoch) this.#acknowledged = Math.max(this.#acknowledged, position);
    return formatId(epoch, position);
  }

  /** Takes what a broker has of a channel. For `after` and `upTo`, see {@link createFilling}. */
  fill(channel: ChannelLog, page: Page, after: Position, upTo: Position): void {
    const entries = page.entries.map(entry => this.#log(entry));
    const filling = createFilling(page, entries, after, upTo, channel.history.keep.compact);
    const isNewerHere = channel.history.newest > upTo;
    // Not the next to be evicted: a stream is about to need it.
    this.channels.touch(channel);
    this.channels.count(channel, () => channel.fill(filling));
    this.channels.evict();
    // An `end` or a `begin` may have arrived that is newer than the page. Only a `begin` can follow the end of a page.
    if (!isNewerHere) channel.endedAt = page.endedAt;
    // The page may have entries of before that, though they were dropped here already.
    else channel.beginAfter(Math.max(page.endedAt ?? 0, channel.droppedUpTo));
  }

  /** Positions between the two were given to entries that are lost: no client can resume from them. */
  break(after: Position, before: Position): void {
    this.#lost.add(after, before);
  }

  /** Entries of these channels were lost on their way from the broker. */
  lose(channels: Iterable<ChannelLog>): void {
    // The control channel first: it may close streams, whose clients resume from where they are, and need no reset.
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

  /** A new epoch: positions begin again, and every stream begins again. */
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
