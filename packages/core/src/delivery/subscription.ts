import type { ChannelState, Piece } from '../log/channel-log.ts';
import type { LogEntry } from '../log/entry.ts';
import type { Log } from '../log/log.ts';
import { type Position, parseId } from '../protocol/event-id.ts';
import type { Frame } from '../protocol/frame.ts';
import type { Subscriber } from './stream-delivery.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/** Whose subscription it is. */
export interface Reader {
  /** Whether an exception is meant for it: the id of its stream, or its client. */
  isCalled(name: string): boolean;
}

/** What one stream follows of one channel. */
export class Subscription {
  readonly channel: ChannelState;
  options: SubscribeOptions;
  /** The stream follows it no longer. */
  hasLeft = false;
  /** Only what is after it counts. */
  start: Position = 0;
  /** What it needs is there, and it has its start. */
  isPlaced = false;
  /** The client knows that what was up to here may be lost. */
  excused: Position = 0;
  /** The state that is to be sent first. */
  snapshot: Promise<Frame> | undefined;
  /** What is newer is `now`. Found out when it is first needed, if a broker has yet to say. */
  #now: Position | undefined;

  constructor(channel: ChannelState, options: SubscribeOptions, now: Position | undefined) {
    this.channel = channel;
    this.options = options;
    this.#now = now;
  }

  join(subscriber: Subscriber): void {
    this.channel.subscribers.add(subscriber);
    this.channel.pins.add(this);
  }

  leave(subscriber: Subscriber): void {
    this.hasLeft = true;
    this.channel.subscribers.delete(subscriber);
    this.channel.pins.delete(this);
  }

  /**
   * After which position a broker has to be asked for the channel; undefined if all that is needed is here.
   *
   * @param lastEventId the id after which the stream begins; undefined if it begins afresh, or has begun.
   */
  lacks(log: Log, lastEventId: string | undefined): Position | undefined {
    this.#now ??= log.origin;
    const id = parseId(this.after ?? lastEventId ?? '');
    const named = id?.epoch === log.epoch ? id.position : undefined;
    // A stream may lose its way at any time, and is told the whole state of a compacted channel then.
    const { from } = this.options;
    const isNow = from === 'now' || (from === undefined && lastEventId === undefined);
    const after = this.channel.history.keep.compact ? 0 : (named ?? (isNow ? this.#now : 0));
    // Somebody has been told of what is yet to come here.
    const isAhead = Math.max(named ?? 0, this.#now) > log.head;
    return isAhead || this.channel.lacks(after) ? after : undefined;
  }

  /** Finds its start as the application wants it. */
  place(log: Log): void {
    this.isPlaced = true;
    const { history } = this.channel;
    const { from } = this.options;
    const now = this.#now ?? log.origin;
    // A state is what is left of what there was: who asks for it misses nothing of that.
    if (history.keep.compact && this.after === undefined) this.excused = Math.min(now, history.floor);
    if (this.after !== undefined) {
      this.start = log.positionOf(this.after) ?? history.floor;
    } else if (typeof from === 'object' && 'last' in from) {
      this.start = Math.min(now, history.positionBefore(from.last, now));
    } else {
      // If what has come since the call has left already, that is a loss.
      const isAll = from === 'start' || (from === undefined && history.keep.compact);
      this.start = isAll ? Math.min(now, history.beginning) : now;
    }
  }

  /** From here on. */
  filterBy(filter: SubscribeOptions['filter']): void {
    this.options = { from: this.options.from, filter };
  }

  /** Begins where its client left. */
  resume(position: Position): void {
    this.start = position;
    this.excused = 0;
  }

  /** The id that the application wants it to begin after. */
  get after(): string | undefined {
    const { from } = this.options;
    return typeof from === 'object' && 'after' in from ? from.after : undefined;
  }

  /** From where on a stream at a position needs the channel. */
  from(position: Position): Position {
    return Math.max(position, this.start);
  }

  /** The next piece of the channel that has anything to send to a stream at a position. */
  pieceAfter(position: Position): Piece | undefined {
    let piece = this.channel.pieceAfter(this.from(position));
    while (piece !== undefined && piece.frame === undefined) piece = this.channel.pieceAfter(piece.last);
    return piece;
  }

  /** Whether there is anything in the channel that a stream at a position has not passed. */
  hasNewer(position: Position): boolean {
    return this.channel.history.newest > this.from(position);
  }

  /** Whether the channel's history no longer reaches back to what is needed, and the client does not know. */
  isLost(position: Position = 0): boolean {
    return Math.max(this.from(position), this.excused) < this.channel.history.floor;
  }

  /** Asks for the state of the channel, if it has any to tell and the application has not said where to begin. */
  startAtSnapshot(head: Position): void {
    if (this.options.from === undefined) this.#startAtSnapshot(head);
  }

  #startAtSnapshot(head: Position): void {
    if (!this.channel.hasSnapshots) return;
    const { position, frame } = this.channel.snapshot(head);
    this.start = position;
    this.excused = position;
    this.snapshot = frame;
  }

  /** After a loss that the client is told of: a channel that has a state says it anew. */
  restart(head: Position): void {
    const { history } = this.channel;
    this.excused = history.floor;
    if (history.keep.compact) this.start = 0;
    this.#startAtSnapshot(head);
  }

  /** Whether the channel has ended, and has nothing more for a stream at a position. */
  isOver(position: Position, reader: Reader): boolean {
    if (this.channel.endedAt === undefined) return false;
    for (let after = this.from(position); ; ) {
      const entry = this.channel.entryAfter(after);
      if (entry === undefined) return true;
      if (this.wants(entry, reader)) return false;
      after = entry.position;
    }
  }

  /** Whether an entry has something to send that is for this stream. */
  wants(entry: LogEntry, reader: Reader): boolean {
    if (entry.isEnd) return false;
    if (entry.except !== undefined && reader.isCalled(entry.except)) return false;
    const { event, key, data } = entry;
    return this.options.filter?.({ channel: this.channel.name, event, key, data }) ?? true;
  }
}
