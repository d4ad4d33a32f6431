import type { ChannelState } from './channel.ts';
import type { LogEntry } from './entry.ts';
import { encode } from './event.ts';
import { createFrame, type Frame, joinFrames } from './frame.ts';
import type { Log } from './log.ts';
import { type EventId, type IdSuffix, type Position, parseId } from './position.ts';

/** Where a subscription begins. `now`: with what comes. `start`: with all there is. */
export type From = 'now' | 'start' | { last: number } | { after: string };

/** An event, as a filter sees it. */
export interface FilterEvent {
  channel: string;
  event: string | undefined;
  key: string | undefined;
  /** As it goes on the wire. */
  data: string;
}

export interface SubscribeOptions {
  /** Default: after the last event that the client has seen, if it says which, else `now`. */
  from?: From | undefined;
  /** Which events of the channels the stream gets. Default: all. */
  filter?: ((event: FilterEvent) => boolean) | undefined;
}

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

interface Subscription {
  readonly channel: ChannelState;
  readonly options: SubscribeOptions;
  /** Only what is after it counts. */
  start: Position;
  /** The client knows that what was up to here may be lost. */
  excused: Position;
  /** The state that is to be sent first. */
  snapshot?: Promise<Frame> | undefined;
}

/** What is older than the stream's position and still to be sent, without ids. */
interface Backfill {
  readonly subscription: Subscription;
  next: Position;
  /** To be sent first; `awaited` while the application works at it. */
  snapshot?: Frame | 'awaited' | undefined;
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
  #backfill: Backfill[] = [];
  /** Gives free what the histories keep while a snapshot is awaited. */
  readonly #pins: (() => void)[] = [];
  /** What the application sent while the stream was behind, each after the position at which it did. */
  #held: { after: Position; frame: Frame }[] = [];
  heldBytes = 0;
  /** Called once everything up to a position has been written. */
  #end: { after: Position; done: () => void } | undefined;

  constructor(log: Log, host: SubscriberHost) {
    this.#log = log;
    this.#host = host;
  }

  get isLive(): boolean {
    return this.#hasBegun && this.#position >= this.#log.passed && this.#isClear;
  }

  get #isClear(): boolean {
    return this.#notes.length === 0 && this.#backfill.length === 0 && this.#held.length === 0;
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
      const subscription = { channel, options, start: this.#resolve(channel, options.from), excused: 0 };
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
      this.#backfill = this.#backfill.filter(other => other.subscription !== subscription);
    }
  }

  /** Leaves all channels, for good. */
  leave(): void {
    for (const subscription of this.#subscriptions) {
      subscription.channel.subscribers.delete(this);
      subscription.channel.pins.delete(subscription);
    }
    this.#unpin();
    this.#subscriptions = [];
    // The work list may still name it.
    this.#hasBegun = false;
    this.#notes = [];
    this.#backfill = [];
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
    const explicit = this.#subscriptions.filter(({ options }) => afterId(options.from) !== undefined);
    const others = this.#subscriptions.filter(subscription => !explicit.includes(subscription));
    if (isKnown && id.suffix !== '~') {
      this.#position = id.position;
      for (const subscription of others) subscription.start = id.position;
      this.#reset('history', others.filter(isLost));
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
      for (const subscription of others) this.#startAtSnapshot(subscription);
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
    const unknown = subscriptions.filter(({ options }) => {
      const after = afterId(options.from);
      const id = after === undefined ? undefined : parseId(after);
      return after !== undefined && (id === undefined || !this.#isKnown(id));
    });
    this.#reset('unknown', unknown);
    this.#reset('history', subscriptions.filter(isLost));
    for (const subscription of subscriptions) this.#startAtSnapshot(subscription);
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
      if (this.#backfill.length > 0) {
        if (this.#isWaiting) return undefined;
        if (this.#hasLostBackfill()) continue;
        return this.#takeBackfill() ?? this.#mark('');
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
    const ready = this.#subscriptions.filter(({ channel, start }) => {
      return channel.history.newest > Math.max(this.#position, start);
    });
    const [only] = ready;
    if (only === undefined) return undefined;
    if (ready.length === 1 && only.options.filter === undefined) {
      for (;;) {
        const piece = only.channel.pieceAfter(Math.max(this.#position, only.start));
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
      const next = this.#nextEntry(subscriptions, ({ start }) => Math.max(this.#position, start));
      if (next === undefined || next.entry.position > upto) break;
      this.#position = next.entry.position;
      const { frame } = next.entry;
      if (frame === undefined || !this.#wants(next.subscription, next.entry)) continue;
      this.#told = this.#position;
      frames.push(frame);
      size += frame.length;
    }
    return frames.length > 1 ? joinFrames(frames) : frames[0];
  }

  #takeBackfill(): Frame | undefined {
    for (const backfill of this.#backfill) {
      const { snapshot } = backfill;
      backfill.snapshot = undefined;
      if (typeof snapshot === 'object') return snapshot;
    }
    const frames: Frame[] = [];
    for (let size = 0; size < PIECE; ) {
      let first: Backfill | undefined;
      let entry: LogEntry | undefined;
      for (const backfill of this.#backfill) {
        const candidate = backfill.subscription.channel.entryAfter(backfill.next);
        if (candidate === undefined || candidate.position > this.#position) continue;
        if (entry === undefined || candidate.position < entry.position)
          [first, entry] = [backfill, candidate];
      }
      if (first === undefined || entry === undefined) {
        this.#backfill = [];
        break;
      }
      first.next = entry.position;
      if (entry.frame === undefined || !this.#wants(first.subscription, entry)) continue;
      frames.push(entry.bare);
      size += entry.bare.length;
    }
    return frames.length > 1 ? joinFrames(frames) : frames[0];
  }

  #nextEntry(subscriptions: readonly Subscription[], from: (subscription: Subscription) => Position) {
    let next: { subscription: Subscription; entry: LogEntry } | undefined;
    for (const subscription of subscriptions) {
      const entry = subscription.channel.entryAfter(from(subscription));
      if (entry !== undefined && (next === undefined || entry.position < next.entry.position)) {
        next = { subscription, entry };
      }
    }
    return next;
  }

  #wants({ channel, options }: Subscription, entry: LogEntry): boolean {
    if (entry.except !== undefined && this.#host.isCalled(entry.except)) return false;
    const { event, key, data } = entry;
    return options.filter?.({ channel: channel.name, event, key, data }) ?? true;
  }

  /** Looks for channels whose history no longer reaches back to this stream, and says so. */
  #hasLost(): boolean {
    const lost = this.#subscriptions.filter(({ channel, start, excused }) => {
      return Math.max(this.#position, start, excused) < channel.history.floor;
    });
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
    if (this.#backfill.length === 0) this.#notes.push(this.#mark('~'));
    for (const subscription of older) {
      const backfill: Backfill = { subscription, next: subscription.start };
      this.#backfill.push(backfill);
      if (subscription.snapshot === undefined) continue;
      backfill.snapshot = 'awaited';
      this.#awaitSnapshot(backfill, subscription.snapshot);
      subscription.snapshot = undefined;
    }
    if (!this.#isWaiting) return;
    // What comes meanwhile, and what was to come with it, is to be there then.
    this.#unpin();
    for (const { channel, start } of this.#subscriptions) {
      const isOlder = this.#backfill.some(({ subscription }) => subscription.channel === channel);
      const pin = { start: isOlder ? start : Math.max(start, this.#position) };
      channel.pins.add(pin);
      this.#pins.push(() => channel.pins.delete(pin));
    }
  }

  #unpin(): void {
    for (const unpin of this.#pins.splice(0)) unpin();
  }

  /** The same for what is older than the position. */
  #hasLostBackfill(): boolean {
    const lost = this.#backfill.filter(({ subscription, next }) => {
      const { floor } = subscription.channel.history;
      return next < this.#position && Math.max(next, subscription.excused) < floor;
    });
    if (lost.length === 0) return false;
    this.#reset(
      'slow',
      lost.map(({ subscription }) => subscription),
    );
    return true;
  }

  #reset(reason: ResetReason, subscriptions: readonly Subscription[]): void {
    if (subscriptions.length === 0) return;
    const channels = subscriptions.map(({ channel }) => channel.name);
    const id = this.#log.id(this.#position);
    this.#notes.push(createFrame(encode({ reason, channels }, { id, event: this.#host.resetEvent })));
    this.#told = this.#position;
    for (const subscription of subscriptions) {
      const { history } = subscription.channel;
      subscription.excused = history.floor;
      // A channel that has a state says it anew.
      if (history.keep.compact) subscription.start = 0;
      this.#startAtSnapshot(subscription);
    }
  }

  /** Asks for the state of a channel, if it has any to tell and the application has not said where to begin. */
  #startAtSnapshot(subscription: Subscription): void {
    const { channel, options } = subscription;
    if (!channel.hasSnapshots || options.from !== undefined) return;
    const { position, frame } = channel.snapshot(this.#log.head);
    subscription.start = position;
    subscription.excused = position;
    subscription.snapshot = frame;
  }

  #awaitSnapshot(backfill: Backfill, snapshot: Promise<Frame>): void {
    const { start, channel } = backfill.subscription;
    const settle = (frame: Frame) => {
      if (!this.#backfill.includes(backfill)) return;
      backfill.snapshot = frame;
      if (channel.history.floor > start)
        throw new Error('the snapshot took longer than the history reaches back');
      if (this.#isWaiting) return;
      this.#unpin();
      this.#log.wake(this);
    };
    snapshot.then(settle).catch(error => {
      if (this.#backfill.includes(backfill)) this.#host.failed(error);
    });
  }

  get #isWaiting(): boolean {
    return this.#backfill.some(({ snapshot }) => snapshot === 'awaited');
  }

  /** An id needs an event to travel with, be it empty (Firefox ignores it otherwise): one that nobody listens for. */
  #mark(suffix: IdSuffix): Frame {
    this.#told = this.#position;
    return createFrame(encode('', { id: this.#log.id(this.#position, suffix), event: 'tidings' }));
  }

  #hasHadAll(): boolean {
    if (this.#subscriptions.length === 0 || !this.#isClear) return false;
    return this.#subscriptions.every(subscription => {
      return subscription.channel.endedAt !== undefined && !this.#isDue(subscription);
    });
  }

  /** Whether there is anything left for the stream in a channel. */
  #isDue(subscription: Subscription): boolean {
    const { channel, start } = subscription;
    for (let position = Math.max(this.#position, start); ; ) {
      const entry = channel.entryAfter(position);
      if (entry === undefined) return false;
      if (entry.frame !== undefined && this.#wants(subscription, entry)) return true;
      position = entry.position;
    }
  }
}

function afterId(from: From | undefined): string | undefined {
  return typeof from === 'object' && 'after' in from ? from.after : undefined;
}

function isLost({ channel, start, excused }: Subscription): boolean {
  return Math.max(start, excused) < channel.history.floor;
}
