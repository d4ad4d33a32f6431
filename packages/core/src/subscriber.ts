import { Backfill } from './backfill.ts';
import type { ChannelState } from './channel.ts';
import { encode } from './event.ts';
import { createFrame, type Frame, joinFrames } from './frame.ts';
import { Held } from './held.ts';
import type { Log } from './log.ts';
import { createMarker } from './marker.ts';
import { merge } from './merge.ts';
import type { IdSuffix, Position } from './position.ts';
import type { Reset, ResetReason } from './reset.ts';
import { findStart } from './start.ts';
import type { Reader, SubscribeOptions, Subscription } from './subscription.ts';

/** What a subscriber needs of its stream. */
export interface SubscriberHost extends Reader {
  readonly hasRoom: boolean;
  readonly lastEventId: string | undefined;
  readonly resetEvent: string;
  /** What the stream begins with is there. */
  ready(): void;
  /** What was sent while the stream was behind has gone out. */
  caughtUp(): void;
  write(frame: Frame): void;
  /** Its client is told that it has missed something. */
  lost(reason: ResetReason, channels: readonly string[]): void;
  /** Its client goes on after the last event that it has seen. */
  resumed(): void;
  /** All of its channels have ended, and it has been given everything. */
  ended(last: Frame): void;
  /** What it needs has left the history, and its channel wants it to come back for it. */
  overflowed(last: Frame | undefined): void;
  failed(error: unknown): void;
}

const NONE: readonly Subscription[] = [];

/** Reads the log for one stream: from its position, in order, as far as the peer takes it. */
export class Subscriber {
  readonly #log: Log;
  readonly #host: SubscriberHost;
  #subscriptions = NONE;
  #lastEventId: string | undefined;
  /** Everything up to here that the stream was to get has been written. Moves only forward. */
  #position: Position = 0;
  /** The position that the client knows of, by the last id it was sent. */
  #told: Position | undefined;
  #state: 'new' | 'begun' | 'left' = 'new';
  /** A broker is asked for what the newest subscriptions need: nothing is written meanwhile. */
  #isLoading = false;
  /** It can go on, and its turn has yet to come: until then, nothing that it needs leaves. */
  #isWoken = false;
  /** For which it is asked. */
  #wanted = NONE;
  #isTaking = false;
  // What most streams never need is made when they do.
  /** To be written before all else: resets and markers. */
  #notes: (() => Frame)[] | undefined;
  #backfill: Backfill | undefined;
  #held: Held | undefined;
  /** Called once everything up to a position has been written. */
  #end: { after: Position; done: () => void } | undefined;

  constructor(log: Log, host: SubscriberHost) {
    this.#log = log;
    this.#host = host;
    this.#lastEventId = host.lastEventId;
  }

  get heldBytes(): number {
    return this.#held?.bytes ?? 0;
  }

  get #isReady(): boolean {
    return this.#state === 'begun' && !this.#isLoading;
  }

  get #unplaced(): readonly Subscription[] {
    return this.#subscriptions.filter(({ isPlaced }) => !isPlaced);
  }

  get #isClear(): boolean {
    return this.#notes === undefined && !this.#backfill?.isUnderWay && !this.#held?.isPending;
  }

  /** For a stream whose head has gone out without any subscription: it has missed nothing. */
  beginLate(): void {
    this.#state = 'begun';
    this.#position = this.#log.head;
  }

  /** Without a `from`, what is followed already goes on where it is, through the new filter. */
  subscribe(names: readonly string[], options: SubscribeOptions): void {
    const fresh = new Set(names);
    for (const subscription of options.from === undefined ? this.#subscriptions : NONE) {
      if (fresh.delete(subscription.channel.name)) subscription.filterBy(options.filter);
    }
    this.#subscribe([...fresh], options);
  }

  #subscribe(names: readonly string[], options: SubscribeOptions): void {
    // Throws what the application's own options throw, before anything is changed.
    const added = names.map(name => this.#log.subscribe(name, options));
    this.unsubscribe(names);
    // Who follows nothing has missed nothing.
    if (this.#subscriptions.length === 0 && this.#isReady) this.#position = this.#log.head;
    for (const subscription of added) this.#join(subscription);
    // `push` and `...` would make room for many more, and most streams have one.
    this.#subscriptions = this.#subscriptions.concat(added);
    if (this.#state === 'begun') this.load();
  }

  #join(subscription: Subscription): void {
    subscription.channel.subscribers.add(this);
    subscription.channel.pins.add(subscription);
  }

  unsubscribe(names: readonly string[]): void {
    const leaving = new Set(names);
    const staying = this.#subscriptions.filter(({ channel }) => !leaving.has(channel.name));
    if (staying.length === this.#subscriptions.length) return;
    for (const subscription of this.#subscriptions) {
      if (leaving.has(subscription.channel.name)) this.#forget(subscription);
    }
    this.#subscriptions = staying;
    this.#backfill?.keep(staying);
    // It may have waited for no other.
    this.#isWoken = true;
    this.#keepWhatWaits();
    this.#log.wake(this);
  }

  /** Leaves all channels, for good. */
  leave(): void {
    // The work list may still name it.
    this.#state = 'left';
    for (const subscription of this.#subscriptions) this.#forget(subscription);
    this.#subscriptions = NONE;
    this.#notes = undefined;
    this.#backfill?.clear();
    this.#held?.clear();
  }

  #forget(subscription: Subscription): void {
    subscription.hasLeft = true;
    subscription.channel.subscribers.delete(this);
    subscription.channel.pins.delete(subscription);
  }

  /** Has what the subscriptions need fetched, if it is not there, and then goes on. */
  load(): void {
    if (this.#isLoading) return;
    this.#isLoading = true;
    this.#wanted = this.#unplaced;
    if (this.#log.mirror?.load(this) !== true) this.loaded();
    else if (this.#end !== undefined) this.close(this.#end.done);
    else this.#keepWhatWaits();
  }

  wants(): Map<string, Position> {
    this.#wanted = this.#unplaced;
    const id = this.#state === 'new' ? this.#lastEventId : undefined;
    const wants = new Map<string, Position>();
    for (const subscription of this.#wanted) {
      const after = subscription.lacks(this.#log, id);
      if (after !== undefined) wants.set(subscription.channel.name, after);
    }
    return wants;
  }

  loaded(): void {
    if (this.#state === 'left') return;
    try {
      this.#goOn();
    } catch (error) {
      this.#host.failed(error);
    }
  }

  #goOn(): void {
    this.#isLoading = false;
    this.#held?.settle(this.#log.head);
    this.#isWoken = true;
    this.#keepWhatWaits();
    const here = new Set(this.#subscriptions);
    const wanted = this.#wanted.filter(subscription => here.has(subscription));
    this.#wanted = NONE;
    for (const subscription of wanted) subscription.place(this.#log);
    if (this.#state === 'begun') this.#beginAfter(wanted);
    if (this.#unplaced.length > 0) this.load();
    else if (this.#state === 'begun') this.#log.wake(this);
    else this.#host.ready();
  }

  /**
   * Takes up where the client left, once all is known that it asks for. To be called when `ready` is.
   *
   * @returns false: every channel has ended and the client has had it all, so that there is nothing to answer.
   */
  begin(): boolean {
    const start = findStart(this.#log, this.#subscriptions, this.#lastEventId);
    this.#state = 'begun';
    if (start === undefined) return false;
    this.#position = start.position;
    if (start.isResumed) this.#host.resumed();
    this.#reset(start.reason, start.lost);
    this.#beginAfter(this.#subscriptions.filter(({ after }) => after !== undefined));
    this.#beginBackfill(this.#subscriptions.filter(({ after }) => after === undefined));
    if (this.#hasHadAll()) return false;
    this.#log.wake(this);
    return true;
  }

  /** Positions have lost their meaning: begins anew, as a client would that comes back with one of before. */
  startOver(): void {
    if (this.#state === 'left') return;
    const before = this.#subscriptions;
    const hadBegun = this.#state === 'begun';
    this.#state = 'new';
    this.#lastEventId = '';
    this.#wanted = NONE;
    this.#subscriptions = NONE;
    this.#notes = undefined;
    this.#backfill?.clear();
    this.#held?.release();
    if (this.#end !== undefined) this.#end.after = 0;
    this.#position = 0;
    this.#told = undefined;
    this.#subscriptions = before.map(({ channel, options }) => this.#log.subscribe(channel.name, options));
    for (const subscription of this.#subscriptions) this.#join(subscription);
    if (hadBegun) this.load();
  }

  /** Something of channels is gone that the stream was to get: it goes on as one that subscribes to them now. */
  lose(channels: ReadonlySet<ChannelState>): void {
    if (this.#state !== 'begun') {
      // What has been fetched for it may be gone as well.
      this.#wanted = NONE;
      return;
    }
    const lost = this.#subscriptions.filter(({ channel }) => channels.has(channel));
    this.#tell('history', lost);
    for (const { channel, options } of lost) this.#subscribe([channel.name], { filter: options.filter });
  }

  /** Subscriptions for which the application has said where they begin, or that come late. */
  #beginAfter(subscriptions: readonly Subscription[]): void {
    const unknown = subscriptions.filter(({ after }) => after !== undefined && !this.#log.knows(after));
    this.#reset('unknown', unknown);
    const lost = subscriptions.filter(subscription => subscription.isLost());
    this.#reset('history', lost);
    for (const subscription of subscriptions) subscription.startAtSnapshot(this.#log.head);
    this.#beginBackfill(subscriptions);
  }

  /** Writes what the stream is to get, as far as there is room. */
  catchUp(): void {
    // A filter may send, subscribe or close, which all end here again.
    if (!this.#isReady || this.#isTaking) return;
    if (this.#isWoken) {
      this.#isWoken = false;
      for (const subscription of this.#subscriptions) subscription.channel.pins.delete(subscription);
      this.#keepWhatWaits();
    }
    this.#isTaking = true;
    try {
      while (this.#host.hasRoom) {
        const frame = this.#take();
        if (frame === undefined) break;
        this.#host.write(frame);
      }
      if (this.#held !== undefined && this.heldBytes === 0) this.#host.caughtUp();
    } catch (error) {
      this.#host.failed(error);
    } finally {
      this.#isTaking = false;
    }
  }

  /** Puts what the application sends in its place behind what was published before. To be called after `catchUp`. */
  send(frame: Frame): void {
    const isAtHead = this.#isReady && this.#isClear && !this.#isTaking && this.#position >= this.#log.head;
    if (isAtHead && this.#host.hasRoom) this.#host.write(frame);
    else {
      // How far this node is behind its broker is known when the first channels have been asked for.
      const isUnknown = this.#state === 'new' && this.#isLoading;
      this.#held ??= new Held();
      this.#held.push(frame, isUnknown ? Number.POSITIVE_INFINITY : this.#log.head);
    }
  }

  /** Calls back when the stream has been given all that was published before, if that is there to be given. */
  close(done: () => void): void {
    if (this.#isLoading || this.#backfill?.isWaiting) {
      this.#held?.release();
      for (let frame = this.#held?.take(0); frame !== undefined; frame = this.#held?.take(0)) {
        this.#host.write(frame);
      }
      done();
      return;
    }
    this.#end = { after: this.#log.head, done };
    this.catchUp();
  }

  /** What to send in place of a heartbeat, when the client's id has fallen behind what it has been given. */
  marker(): Frame | undefined {
    if (!this.#isReady || !this.#isClear) return undefined;
    if (this.#subscriptions.some(subscription => subscription.hasNewer(this.#position))) return undefined;
    this.#position = Math.max(this.#position, this.#log.passed);
    return this.#told === this.#position ? undefined : this.#mark('');
  }

  /** The next thing to write; undefined when the stream is at the head. */
  #take(): Frame | undefined {
    while (this.#state === 'begun') {
      if (this.#notes !== undefined) return this.#takeNotes(this.#notes);
      if (this.#backfill?.isUnderWay) {
        if (this.#backfill.isWaiting) return undefined;
        const lost = this.#backfill.lost(this.#position);
        if (lost.length === 0) return this.#backfill.take(this.#position, this.#host) ?? this.#mark('');
        this.#backfill.drop(lost);
        this.#goOnAtHead(lost);
        continue;
      }
      const held = this.#held?.take(this.#position);
      if (held !== undefined) return held;
      const upto = this.#held?.next ?? this.#end?.after ?? this.#log.head;
      if (this.#position < upto) {
        if (this.#hasLost()) continue;
        const frame = this.#takeEntries(upto);
        if (frame !== undefined) return frame;
        // Nothing up to there is for this stream.
        this.#position = Math.max(this.#position, upto);
      }
      if (this.#held?.isPending) continue;
      if (this.#end !== undefined) {
        this.#end.done();
        return undefined;
      }
      if (this.#hasHadAll()) {
        this.#host.ended(this.#mark('.'));
        // That closes the stream, which has it end here.
        if (this.#end === undefined) return undefined;
        continue;
      }
      return this.#told === undefined ? this.#mark('') : undefined;
    }
    return undefined;
  }

  /** Frames of what comes next in the order, up to a position; one write's worth at most. */
  #takeEntries(upto: Position): Frame | undefined {
    const ready =
      this.#subscriptions.length > 1
        ? this.#subscriptions.filter(subscription => subscription.hasNewer(this.#position))
        : this.#subscriptions;
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
    // The channels, a filter or exceptions make it this stream's own.
    return merge(
      ready,
      subscription => {
        const entry = subscription.channel.entryAfter(subscription.from(this.#position));
        return entry === undefined || entry.position > upto ? undefined : entry;
      },
      (subscription, entry) => {
        this.#position = entry.position;
        if (subscription.hasLeft || !subscription.wants(entry, this.#host)) return undefined;
        this.#told = entry.position;
        return entry.frame;
      },
    );
  }

  /** Looks for channels whose history no longer reaches back to this stream, and says so. */
  #hasLost(): boolean {
    const lost = this.#subscriptions.filter(subscription => subscription.isLost(this.#position));
    if (lost.length === 0) return false;
    if (lost.some(({ channel }) => channel.overflow === 'disconnect')) {
      this.#host.overflowed(this.#told === undefined ? this.#mark('') : undefined);
      return true;
    }
    this.#goOnAtHead(lost);
    return true;
  }

  /** What is left would be lost again before it is sent. */
  #goOnAtHead(lost: readonly Subscription[]): void {
    for (const subscription of lost) subscription.start = this.#log.head;
    this.#reset('slow', lost);
    this.#beginBackfill(lost);
  }

  #beginBackfill(subscriptions: readonly Subscription[]): void {
    const older = subscriptions.filter(
      ({ start, snapshot }) => start < this.#position || snapshot !== undefined,
    );
    if (older.length > 0 && !this.#backfill?.isUnderWay) this.#note(() => this.#mark('~'));
    const onReady = () => {
      this.#isWoken = true;
      this.#log.wake(this);
    };
    for (const subscription of older)
      this.#backfills.add(subscription, onReady, error => this.#host.failed(error));
    this.#keepWhatWaits();
  }

  /** Has histories keep what a stream will need that cannot go on for now, for no fault of its client. */
  #keepWhatWaits(): void {
    this.#backfill?.unpin();
    // (What has nothing older is kept by its subscriptions, which takes no memory of its own.)
    const waits = this.#isLoading || this.#backfill?.isWaiting || (this.#isWoken && this.#backfill);
    if (this.#state === 'begun' && waits) this.#backfills.pin(this.#subscriptions, this.#position);
  }

  #reset(reason: ResetReason, subscriptions: readonly Subscription[]): void {
    this.#tell(reason, subscriptions);
    for (const subscription of subscriptions) subscription.restart(this.#log.head);
  }

  #tell(reason: ResetReason, subscriptions: readonly Subscription[]): void {
    if (subscriptions.length === 0) return;
    const channels = subscriptions.map(({ channel }) => channel.name);
    this.#note(() => {
      // Before a backfill or in the middle of one, the client must not take it for complete.
      const id = this.#log.id(this.#position, this.#backfill?.isUnderWay ? '~' : '');
      return createFrame(
        encode({ reason, channels } satisfies Reset, { id, event: this.#host.resetEvent }),
        1,
      );
    });
    this.#host.lost(reason, channels);
    this.#told = this.#position;
  }

  /** Made when it is written: what it says of a backfill may change until then. */
  #note(make: () => Frame): void {
    this.#notes ??= [];
    this.#notes.push(make);
  }

  #takeNotes(notes: readonly (() => Frame)[]): Frame {
    this.#notes = undefined;
    return joinFrames(notes.map(make => make()));
  }

  get #backfills(): Backfill {
    this.#backfill ??= new Backfill();
    return this.#backfill;
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
      if (subscription.wants(entry, this.#host)) return true;
      position = entry.position;
    }
  }
}
