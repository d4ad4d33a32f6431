import { Backfill } from './backfill.ts';
import type { ChannelState } from './channel.ts';
import type { LogEntry } from './entry.ts';
import { encode } from './event.ts';
import { createFrame, type Frame, joinFrames } from './frame.ts';
import type { Log } from './log.ts';
import { createMarker } from './marker.ts';
import { type EventId, type IdSuffix, type Position, parseId } from './position.ts';
import { type From, type SubscribeOptions, Subscription } from './subscription.ts';

/** Why a client cannot be given all that it has missed. */
export type ResetReason = 'history' | 'slow' | 'unknown' | 'interrupted';

/** What a subscriber needs of its stream. */
export interface SubscriberHost {
  readonly hasRoom: boolean;
  readonly lastEventId: string | undefined;
  readonly resetEvent: string;
  /** Whether an exception is meant for this stream: its id, or its client. */
  isCalled(name: string): boolean;
  write(frame: Frame): void;
  /** All of its channels have ended, and it has been given everything. */
  ended(last: Frame): void;
  /** What it needs has left the history, and its channel wants it to come back for it. */
  overflowed(last: Frame | undefined): void;
  failed(error: unknown): void;
}

const PIECE = 64 * 1024;

/** Reads the log for one stream: from its position, in order, as far as the peer takes it. */
export class Subscriber {
  readonly #log: Log;
  readonly #host: SubscriberHost;
  #subscriptions: Subscription[] = [];
  /** Everything up to here that the stream was to get has been written. Moves only forward. */
  #position: Position = 0;
  /** The position that the client knows of, by the last id it was sent. */
  #told: Position | undefined;
  #hasBegun = false;
  /** To be written before all else: resets and markers. */
  #notes: Frame[] = [];
  readonly #backfill = new Backfill();
  /** What the application sent while the stream was behind, each after the position at which it did. */
  #held: { after: Position; frame: Frame }[] = [];
  heldBytes = 0;
  /** Called once everything up to a position has been written. */
  #end: { after: Position; done: () => void } | undefined;

  readonly #isCalled = (name: string) => this.#host.isCalled(name);

  constructor(log: Log, host: SubscriberHost) {
    this.#log = log;
    this.#host = host;
  }

  get isLive(): boolean {
    return this.#hasBegun && this.#position >= this.#log.passed && this.#isClear;
  }

  get #isClear(): boolean {
    return this.#notes.length === 0 && this.#backfill.isEmpty && this.#held.length === 0;
  }

  /** For a stream whose head has gone out without any subscription: it has missed nothing. */
  beginLate(): void {
    this.#hasBegun = true;
    this.#position = this.#log.head;
  }

  subscribe(names: readonly string[], options: SubscribeOptions): void {
    for (const name of names) {
      const channel = this.#log.channel(name);
      this.unsubscribe([name]);
      const subscription = new Subscription(channel, options, this.#resolve(channel, options.from));
      this.#subscriptions.push(subscription);
      channel.subscribers.add(this);
      if (this.#hasBegun) this.#beginAfter([subscription]);
      else channel.pins.add(subscription);
    }
    if (this.#hasBegun) this.#log.wake(this);
  }

  unsubscribe(names: readonly string[]): void {
    for (const name of names) {
      const subscription = this.#subscriptions.find(({ channel }) => channel.name === name);
      if (subscription === undefined) continue;
      subscription.channel.subscribers.delete(this);
      subscription.channel.pins.delete(subscription);
      this.#subscriptions = this.#subscriptions.filter(other => other !== subscription);
      this.#backfill.remove(subscription);
    }
  }

  /** Leaves all channels, for good. */
  leave(): void {
    for (const subscription of this.#subscriptions) {
      subscription.channel.subscribers.delete(this);
      subscription.channel.pins.delete(subscription);
    }
    this.#subscriptions = [];
    // The work list may still name it.
    this.#hasBegun = false;
    this.#notes = [];
    this.#backfill.clear();
    this.#held = [];
    this.heldBytes = 0;
  }

  /**
   * Takes up where the client left, once all is known that it asks for.
   *
   * @returns false: every channel has ended and the client has had it all, so that there is nothing to answer.
   */
  begin(): boolean {
    const { lastEventId } = this.#host;
    const id = lastEventId === undefined ? undefined : parseId(lastEventId);
    const isKnown = id !== undefined && this.#isKnown(id);
    this.#hasBegun = true;
    for (const subscription of this.#subscriptions) subscription.channel.pins.delete(subscription);
    if (id?.suffix === '.' && this.#subscriptions.every(({ channel }) => this.#isOver(channel, id)))
      return false;
    const explicit = this.#subscriptions.filter(({ after }) => after !== undefined);
    const others = this.#subscriptions.filter(subscription => !explicit.includes(subscription));
    if (isKnown && id.suffix !== '~') {
      this.#position = id.position;
      for (const subscription of others) subscription.start = id.position;
      this.#reset(
        'history',
        others.filter(subscription => subscription.isLost()),
      );
    } else if (isKnown) {
      this.#position = id.position;
      this.#reset('interrupted', this.#subscriptions);
    } else {
      if (lastEventId !== undefined) {
        for (const subscription of others) {
          if (subscription.options.from === undefined)
            subscription.start = subscription.channel.history.floor;
        }
      }
      for (const subscription of others) subscription.startAtSnapshot(this.#log.head);
      this.#position = Math.max(0, ...this.#subscriptions.map(({ start }) => start));
      if (lastEventId !== undefined) this.#reset('unknown', others);
    }
    this.#beginAfter(explicit);
    this.#beginBackfill(others);
    if (this.#hasHadAll()) return false;
    this.#log.wake(this);
    return true;
  }

  /** Subscriptions for which the application has said where they begin, or that come late. */
  #beginAfter(subscriptions: readonly Subscription[]): void {
    const unknown = subscriptions.filter(({ after }) => {
      const id = after === undefined ? undefined : parseId(after);
      return after !== undefined && (id === undefined || !this.#isKnown(id));
    });
    this.#reset('unknown', unknown);
    this.#reset(
      'history',
      subscriptions.filter(subscription => subscription.isLost()),
    );
    for (const subscription of subscriptions) subscription.startAtSnapshot(this.#log.head);
    this.#beginBackfill(subscriptions);
  }

  #resolve({ history }: ChannelState, from: From | undefined): Position {
    if (from === 'start' || (from === undefined && history.keep.compact)) return history.floor;
    if (from === 'now' || from === undefined) return this.#log.head;
    if ('last' in from) return history.positionBefore(from.last);
    const id = parseId(from.after);
    return id !== undefined && this.#isKnown(id) ? id.position : history.floor;
  }

  #isKnown({ epoch, position }: EventId): boolean {
    return epoch === this.#log.epoch && position <= this.#log.head;
  }

  /** Whether there is nothing after an id that says its client has had all of a channel. */
  #isOver({ history, endedAt }: ChannelState, { epoch, position }: EventId): boolean {
    if (history.isBlank) return true;
    return endedAt !== undefined && epoch === this.#log.epoch && endedAt <= position;
  }

  /** Writes what the stream is to get, as far as there is room. */
  catchUp(): void {
    if (!this.#hasBegun) return;
    try {
      while (this.#host.hasRoom) {
        const frame = this.#take();
        if (frame === undefined) return;
        this.#host.write(frame);
      }
    } catch (error) {
      this.#host.failed(error);
    }
  }

  /** Puts what the application sends in its place behind what was published before. To be called after `catchUp`. */
  send(frame: Frame): void {
    if (this.#hasBegun && this.#isClear && this.#position === this.#log.head && this.#host.hasRoom) {
      this.#host.write(frame);
      return;
    }
    this.#held.push({ after: this.#log.head, frame });
    this.heldBytes += frame.length;
  }

  /** Calls back when the stream has been given all that was published before. */
  close(done: () => void): void {
    this.#end = { after: this.#log.head, done };
    this.catchUp();
  }

  /** What to send in place of a heartbeat, when the client's id has fallen behind what it has been given. */
  marker(): Frame | undefined {
    if (!this.isLive) return undefined;
    this.#position = Math.max(this.#position, this.#log.passed);
    return this.#told === this.#position ? undefined : this.#mark('');
  }

  /** The next thing to write; undefined when the stream is at the head. */
  #take(): Frame | undefined {
    for (;;) {
      const note = this.#notes.shift();
      if (note !== undefined) return note;
      if (!this.#backfill.isEmpty) {
        if (this.#backfill.isWaiting) return undefined;
        const lost = this.#backfill.lost(this.#position);
        if (lost.length === 0) return this.#backfill.take(this.#position, this.#isCalled) ?? this.#mark('');
        this.#reset('slow', lost);
        continue;
      }
      const held = this.#held[0];
      if (held !== undefined && held.after <= this.#position) {
        this.#held.shift();
        this.heldBytes -= held.frame.length;
        return held.frame;
      }
      const upto = held?.after ?? this.#end?.after ?? this.#log.head;
      if (this.#position < upto && this.#hasLost()) continue;
      const frame = this.#takeEntries(upto);
      if (frame !== undefined) return frame;
      // Nothing up to there is for this stream.
      this.#position = Math.max(this.#position, upto);
      if (held !== undefined) continue;
      if (this.#end !== undefined) {
        this.#end.done();
        return undefined;
      }
      if (this.#hasHadAll()) {
        this.#host.ended(this.#mark('.'));
        return undefined;
      }
      return this.#told === undefined ? this.#mark('') : undefined;
    }
  }

  /** Frames of what comes next in the order, up to a position; one write's worth at most. */
  #takeEntries(upto: Position): Frame | undefined {
    const ready = this.#subscriptions.filter(subscription => {
      return subscription.channel.history.newest > subscription.from(this.#position);
    });
    const [only] = ready;
    if (only === undefined) return undefined;
    if (ready.length === 1 && only.options.filter === undefined) {
      for (;;) {
        const piece = only.channel.pieceAfter(only.from(this.#position));
        if (piece === undefined) return undefined;
        if (piece.hasExceptions || piece.last > upto) break;
        this.#position = piece.last;
        if (piece.frame === undefined) continue;
        this.#told = piece.last;
        return piece.frame;
      }
    }
    return this.#mergeEntries(ready, upto);
  }

  /** The same where the channels, a filter or exceptions make it this stream's own. */
  #mergeEntries(subscriptions: readonly Subscription[], upto: Position): Frame | undefined {
    const frames: Frame[] = [];
    for (let size = 0; size < PIECE; ) {
      const [subscription, entry] = this.#nextEntry(subscriptions);
      if (subscription === undefined || entry === undefined || entry.position > upto) break;
      this.#position = entry.position;
      const { frame } = entry;
      if (frame === undefined || !subscription.wants(entry, this.#isCalled)) continue;
      this.#told = this.#position;
      frames.push(frame);
      size += frame.length;
    }
    return frames.length > 1 ? joinFrames(frames) : frames[0];
  }

  #nextEntry(subscriptions: readonly Subscription[]): [Subscription?, LogEntry?] {
    let oldest: [Subscription?, LogEntry?] = [];
    for (const subscription of subscriptions) {
      const entry = subscription.channel.entryAfter(subscription.from(this.#position));
      if (entry === undefined) continue;
      if (oldest[1] === undefined || entry.position < oldest[1].position) oldest = [subscription, entry];
    }
    return oldest;
  }

  /** Looks for channels whose history no longer reaches back to this stream, and says so. */
  #hasLost(): boolean {
    const lost = this.#subscriptions.filter(subscription => subscription.isLost(this.#position));
    if (lost.length === 0) return false;
    if (lost.some(({ channel }) => channel.overflow === 'disconnect')) {
      this.#host.overflowed(this.#told === undefined ? this.#mark('') : undefined);
      return false;
    }
    // What is left would be lost again before it is sent: go on with what comes.
    for (const subscription of lost) subscription.start = this.#log.head;
    this.#reset('slow', lost);
    this.#beginBackfill(lost);
    return true;
  }

  #beginBackfill(subscriptions: readonly Subscription[]): void {
    const older = subscriptions.filter(
      ({ start, snapshot }) => start < this.#position || snapshot !== undefined,
    );
    if (older.length === 0) return;
    if (this.#backfill.isEmpty) this.#notes.push(this.#mark('~'));
    const onReady = () => {
      this.#backfill.unpin();
      this.#log.wake(this);
    };
    for (const subscription of older)
      this.#backfill.add(subscription, onReady, error => this.#host.failed(error));
    if (this.#backfill.isWaiting) this.#backfill.pin(this.#subscriptions, this.#position);
  }

  #reset(reason: ResetReason, subscriptions: readonly Subscription[]): void {
    if (subscriptions.length === 0) return;
    const channels = subscriptions.map(({ channel }) => channel.name);
    const id = this.#log.id(this.#position);
    this.#notes.push(createFrame(encode({ reason, channels }, { id, event: this.#host.resetEvent })));
    this.#told = this.#position;
    for (const subscription of subscriptions) subscription.restart(this.#log.head);
  }

  /** Tells the client where it stands. */
  #mark(suffix: IdSuffix): Frame {
    this.#told = this.#position;
    return createMarker(this.#log.id(this.#position, suffix));
  }

  #hasHadAll(): boolean {
    if (this.#subscriptions.length === 0 || !this.#isClear) return false;
    return this.#subscriptions.every(subscription => {
      return subscription.channel.endedAt !== undefined && !this.#isDue(subscription);
    });
  }

  /** Whether there is anything left for the stream in a channel. */
  #isDue(subscription: Subscription): boolean {
    for (let position = subscription.from(this.#position); ; ) {
      const entry = subscription.channel.entryAfter(position);
      if (entry === undefined) return false;
      if (entry.frame !== undefined && subscription.wants(entry, this.#isCalled)) return true;
      position = entry.position;
    }
  }
}
