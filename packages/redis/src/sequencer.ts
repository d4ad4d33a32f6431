import type { Entry, Position, Sink } from '@tidings/core';
import { decodeMessage, type Message, type Names } from './format.ts';
import type { Store } from './store.ts';

export interface SequencerEvents {
  /** A message has another epoch than the log. */
  foreignEpoch(epoch: string): void;
  /** Entries are missing. The sequencer buffers until the log has been read. */
  gap(): void;
}

/** Approximate number of characters that are buffered while the log is read. Further messages are read from the log. */
const MAX_BUFFERED = 8 * 1024 * 1024;

/** A channel that is being opened. */
interface Opening {
  /** The channel was read: later messages are newer than the page. */
  isRead: boolean;
  entries: Entry[];
}

/**
 * Puts the messages of all open channels into one order for the sink. Drops duplicates, and delivers no entry while
 * earlier entries are missing.
 *
 * Each message has the position of the channel that precedes it. This position is compared with the newest delivered
 * position of the channel:
 *
 * | the preceding position is            | the message is                                              |
 * | ------------------------------------ | ----------------------------------------------------------- |
 * | not newer than the channel's last    | delivered, without what was delivered before                |
 * | newer, and older than `deliveredUpTo`| delivered after `lost`: it is too late to repair the gap    |
 * | newer than both                      | buffered, with all that follow, until the gap is repaired   |
 *
 * There are two states: `live`, in which messages are delivered as they arrive, and buffering, in which they wait for
 * `resume()`. The sequencer starts buffering by itself only at a gap; otherwise the live feed decides.
 */
export class Sequencer {
  /** Every entry of open channels up to this position was delivered, or reported as lost. */
  deliveredUpTo: Position = 0;
  /** Increases when calls in progress cannot be completed: the connection was lost, or the epoch has changed. */
  generation = 0;
  /** Channels with missing entries, and the position after which they are missing. */
  readonly gaps = new Map<string, Position>();
  readonly #sink: Sink;
  readonly #names: Names;
  readonly #log: Pick<Store, 'epoch' | 'knownHead'>;
  readonly #events: SequencerEvents;
  /** The open channels, each with its newest known position. */
  readonly #open = new Map<string, Position>();
  readonly #opening = new Map<string, Opening>();
  #isLive = false;
  #buffer: [name: string, text: string][] = [];
  #buffered = 0;
  #hasOverflowed = false;

  constructor(sink: Sink, names: Names, log: Pick<Store, 'epoch' | 'knownHead'>, events: SequencerEvents) {
    this.#sink = sink;
    this.#names = names;
    this.#log = log;
    this.#events = events;
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  /** Whether buffered messages were dropped, so that the log must be read again. */
  get hasOverflowed(): boolean {
    return this.#hasOverflowed;
  }

  get openChannels(): ReadonlyMap<string, Position> {
    return this.#open;
  }

  /** Called with each message of the subscription to a channel. */
  receive(name: string, text: string): void {
    if (this.#isLive) this.#handle(name, text);
    else this.#append(name, text);
  }

  /** Buffers messages from now on. */
  pause(): void {
    this.#isLive = false;
  }

  /** Delivers the buffered messages. Then the state is `live`. */
  resume(): void {
    if (this.#hasOverflowed) {
      this.#events.gap();
      return;
    }
    const messages = this.#buffer;
    this.discardBuffer();
    this.#isLive = true;
    // A gap between these messages pauses again. The remaining messages are then buffered again.
    for (const [name, text] of messages) this.receive(name, text);
  }

  /** Drops the buffered messages, because their entries will be read from the log. */
  discardBuffer(): void {
    this.#buffer = [];
    this.#buffered = 0;
    this.#hasOverflowed = false;
  }

  /** Called when all entries up to `head` were delivered. */
  advance(head: Position): void {
    this.deliveredUpTo = Math.max(this.deliveredUpTo, head);
    this.#sink.advanced(this.deliveredUpTo);
  }

  /** Delivers entries that were read from the log: ascending, all after `deliveredUpTo`. */
  deliver(entries: readonly Entry[]): void {
    const wanted = entries.filter(({ channel }) => this.#open.has(channel));
    const last = entries.at(-1);
    if (last === undefined) return;
    this.deliveredUpTo = last.position;
    for (const { channel, position } of wanted) this.#open.set(channel, position);
    if (wanted.length > 0) this.#sink.entries(wanted);
  }

  /** Reports that entries of these channels cannot be delivered any more. @param isCompaction see {@link Sink.lost}. */
  reportLost(channels: readonly string[], isCompaction = false): void {
    const open = channels.filter(channel => this.#open.has(channel));
    if (open.length > 0) this.#sink.lost(open, isCompaction);
  }

  /** Called when no entry of these channels up to `position` is missing. */
  markComplete(channels: Iterable<string>, position: Position): void {
    for (const channel of channels) {
      if (this.#open.has(channel)) this.#open.set(channel, position);
      this.gaps.delete(channel);
    }
  }

  /** Drops messages of these channels until `startCollecting`. */
  startOpening(channels: readonly string[]): void {
    for (const channel of channels) this.#opening.set(channel, { isRead: false, entries: [] });
  }

  /** Called when these channels were read: later messages are newer, and are collected until `finishOpening`. */
  startCollecting(channels: readonly string[]): void {
    for (const channel of channels) {
      const opening = this.#opening.get(channel);
      if (opening !== undefined) opening.isRead = true;
    }
  }

  /** Opens a channel whose entries up to `head` are known. Returns the entries that have arrived since it was read. */
  finishOpening(channel: string, head: Position): Entry[] {
    const entries = this.#opening.get(channel)?.entries ?? [];
    this.#opening.delete(channel);
    this.#open.set(channel, Math.max(head, this.#open.get(channel) ?? 0));
    return entries;
  }

  abandonOpening(channels: readonly string[]): void {
    for (const channel of channels) this.#opening.delete(channel);
  }

  release(channels: readonly string[]): void {
    for (const channel of channels) this.#open.delete(channel);
  }

  /** Called when the connection is lost. Open channels stay open. */
  disconnect(): void {
    this.generation += 1;
    this.#isLive = false;
    this.discardBuffer();
    this.#opening.clear();
  }

  /** Called when the log has restarted in a new epoch. Closes all channels, and returns their names. */
  restart(head: Position): string[] {
    const channels = [...this.#open.keys(), ...this.#opening.keys()];
    this.generation += 1;
    this.deliveredUpTo = head;
    this.discardBuffer();
    // Without open channels, no entry is missing.
    this.#isLive = true;
    this.#open.clear();
    this.#opening.clear();
    this.gaps.clear();
    return channels;
  }

  #append(name: string, text: string): void {
    if (this.#hasOverflowed) return;
    this.#buffer.push([name, text]);
    this.#buffered += text.length;
    if (this.#buffered <= MAX_BUFFERED) return;
    this.discardBuffer();
    this.#hasOverflowed = true;
  }

  #handle(name: string, text: string): void {
    const message = decodeMessage(this.#names.channelOf(name), text);
    if (message === undefined) return;
    const { channel, entries } = message;
    if (message.epoch !== this.#log.epoch) {
      this.#events.foreignEpoch(message.epoch);
      return;
    }
    const opening = this.#opening.get(channel);
    const last = this.#open.get(channel);
    if (opening?.isRead) opening.entries.push(...entries);
    else if (last === undefined) return;
    else if (message.previous > last && message.previous > this.deliveredUpTo) {
      this.gaps.set(channel, last);
      this.#isLive = false;
      this.#append(name, text);
      this.#events.gap();
    } else this.#sequence(message, last);
  }

  /** @param last the newest known position of the channel. */
  #sequence({ channel, previous, entries }: Message, last: Position): void {
    const { deliveredUpTo } = this;
    const newest = entries.at(-1)?.position ?? 0;
    // Positions of a message are consecutive.
    const areNew = newest - deliveredUpTo >= entries.length;
    const next = areNew ? entries : entries.filter(({ position }) => position > deliveredUpTo);
    const isLate = !areNew && entries.some(({ position }) => position > last && position <= deliveredUpTo);
    if (previous > last || isLate) this.#sink.lost([channel]);
    this.#open.set(channel, Math.max(last, newest));
    if (next.length === 0) return;
    this.deliveredUpTo = newest;
    // If Redis loses these entries, this process may be the only one that can prove that they existed.
    this.#log.knownHead = Math.max(this.#log.knownHead, newest);
    this.#sink.entries(next);
  }
}
