import type { Frame } from '../frame.ts';
import type { ChannelState } from '../log/channel.ts';
import type { Position } from '../log/position.ts';
import { Cursor, type CursorHost } from './cursor.ts';
import { Held } from './held.ts';
import { findStart } from './start.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { Subscription } from './subscription.ts';

/** What a subscriber needs of its stream. */
export interface SubscriberHost extends CursorHost {
  readonly hasRoom: boolean;
  /** What was sent before it was subscribed to anything has not gone out. */
  readonly isBehind: boolean;
  readonly lastEventId: string | undefined;
  /** What the stream begins with is there. */
  ready(): void;
  /** What was sent while the stream was behind has gone out. */
  caughtUp(): void;
  write(frame: Frame): void;
  /** All of its channels have ended, and it has been given everything. */
  ended(last: Frame): void;
}

const NONE: readonly Subscription[] = [];

/**
 * Follows channels for one stream: what has to be fetched first, where it begins, when it may write. It is a cursor,
 * and does not have one, since there are as many as streams.
 */
export class Subscriber extends Cursor<SubscriberHost> {
  #state: 'new' | 'begun' | 'left' = 'new';
  /** After which it begins. */
  #lastEventId: string | undefined;
  /** A broker is asked for what these need: nothing is written meanwhile. */
  #loading: readonly Subscription[] | undefined;
  /** It can go on, and its turn has yet to come: until then, nothing that it needs leaves. */
  #isWoken = false;
  #isTaking = false;
  /** Made when it is needed: most streams are never behind. */
  #held: Held | undefined;

  constructor(host: SubscriberHost) {
    super(host);
    this.#lastEventId = host.lastEventId;
  }

  get heldBytes(): number {
    return this.#held?.bytes ?? 0;
  }

  get #isReady(): boolean {
    return this.#state === 'begun' && this.#loading === undefined;
  }

  /** Nothing is to be written but what the log has. */
  get #isIdle(): boolean {
    return this.isClear && !this.#held?.isPending;
  }

  get #unplaced(): readonly Subscription[] {
    return this.subscriptions.filter(({ isPlaced }) => !isPlaced);
  }

  /** For a stream whose head has gone out without any subscription: it has missed nothing. */
  beginLate(): void {
    this.#state = 'begun';
    this.position = this.log.head;
  }

  /** Without a `from`, what is followed already goes on where it is, through the new filter. */
  subscribe(names: readonly string[], options: SubscribeOptions): void {
    const fresh = new Set(names);
    for (const subscription of options.from === undefined ? this.subscriptions : NONE) {
      if (fresh.delete(subscription.channel.name)) subscription.filterBy(options.filter);
    }
    this.#subscribe([...fresh], options);
  }

  #subscribe(names: readonly string[], options: SubscribeOptions): void {
    // Throws what the application's own options throw, before anything is changed.
    const added = names.map(name => this.log.subscribe(name, options));
    this.unsubscribe(names);
    // Who follows nothing has missed nothing.
    if (this.subscriptions.length === 0 && this.#isReady) this.position = this.log.head;
    for (const subscription of added) subscription.join(this);
    // `push` and `...` would make room for many more, and most streams have one.
    this.subscriptions = this.subscriptions.concat(added);
    if (this.#state === 'begun') this.load();
  }

  unsubscribe(names: readonly string[]): void {
    const leaving = new Set(names);
    const staying = this.subscriptions.filter(({ channel }) => !leaving.has(channel.name));
    if (staying.length === this.subscriptions.length) return;
    for (const subscription of this.subscriptions) {
      if (leaving.has(subscription.channel.name)) subscription.leave(this);
    }
    this.stayWith(staying);
    // It may have waited for no other.
    this.awake();
  }

  /** Leaves all channels, for good. */
  leave(): void {
    // The work list may still name it.
    this.#state = 'left';
    for (const subscription of this.subscriptions) subscription.leave(this);
    this.clear();
    this.#held?.clear();
  }

  /** Has what the subscriptions need fetched, if it is not there, and then goes on. */
  load(): void {
    if (this.#loading !== undefined) return;
    this.#loading = this.#unplaced;
    const end = this.#held?.onEnd;
    if (this.log.mirror?.load(this) !== true) this.loaded();
    else if (end !== undefined) this.close(end);
    else this.keepWhatWaits();
  }

  /** After which positions a broker has to be asked for channels, as things stand now. */
  wants(): Map<string, Position> {
    this.#loading = this.#unplaced;
    const id = this.#state === 'new' ? this.#lastEventId : undefined;
    const wants = new Map<string, Position>();
    for (const subscription of this.#loading) {
      const after = subscription.lacks(this.log, id);
      if (after !== undefined) wants.set(subscription.channel.name, after);
    }
    return wants;
  }

  loaded(): void {
    if (this.#state === 'left') return;
    try {
      this.#goOn();
    } catch (error) {
      this.host.failed(error);
    }
  }

  #goOn(): void {
    const loaded = this.#loading ?? NONE;
    this.#loading = undefined;
    this.#held?.settle(this.log.head);
    this.#isWoken = true;
    this.keepWhatWaits();
    const here = new Set(this.subscriptions);
    const wanted = loaded.filter(subscription => here.has(subscription));
    for (const subscription of wanted) subscription.place(this.log);
    if (this.#state === 'begun') this.add(wanted);
    if (this.#unplaced.length > 0) this.load();
    else if (this.#state === 'begun') this.log.wake(this);
    else this.host.ready();
  }

  /**
   * Takes up where the client left, once all is known that it asks for. To be called when `ready` is.
   *
   * @returns false: every channel has ended and the client has had it all, so that there is nothing to answer.
   */
  begin(): boolean {
    const start = findStart(this.log, this.subscriptions, this.#lastEventId);
    this.#state = 'begun';
    if (start === undefined) return false;
    this.goTo(start);
    if (this.#isIdle && this.hasHadAll && !this.host.isBehind) return false;
    this.log.wake(this);
    return true;
  }

  /** Positions have lost their meaning: begins anew, as a client would that comes back with one of before. */
  startOver(): void {
    if (this.#state === 'left') return;
    const before = this.subscriptions;
    const hadBegun = this.#state === 'begun';
    this.#state = 'new';
    this.#lastEventId = '';
    this.#loading &&= NONE;
    this.clear();
    this.#held?.release();
    this.subscriptions = before.map(({ channel, options }) => this.log.subscribe(channel.name, options));
    for (const subscription of this.subscriptions) subscription.join(this);
    if (hadBegun) this.load();
  }

  /** Something of channels is gone that the stream was to get: it goes on as one that subscribes to them now. */
  lose(channels: ReadonlySet<ChannelState>): void {
    if (this.#state !== 'begun') {
      // What has been fetched for it may be gone as well.
      this.#loading &&= NONE;
      return;
    }
    const lost = this.subscriptions.filter(({ channel }) => channels.has(channel));
    this.tellLoss('history', lost);
    for (const { channel, options } of lost) this.#subscribe([channel.name], { filter: options.filter });
  }

  /** Writes what the stream is to get, as far as there is room. */
  catchUp(): void {
    // A filter may send, subscribe or close, which all end here again.
    if (!this.#isReady || this.#isTaking) return;
    if (this.#isWoken) {
      this.#isWoken = false;
      for (const subscription of this.subscriptions) subscription.channel.pins.delete(subscription);
      this.keepWhatWaits();
    }
    this.#isTaking = true;
    try {
      while (this.host.hasRoom) {
        const frame = this.#take();
        if (frame === undefined) break;
        this.host.write(frame);
      }
      if (this.#held !== undefined && this.heldBytes === 0) this.host.caughtUp();
    } catch (error) {
      this.host.failed(error);
    } finally {
      this.#isTaking = false;
    }
  }

  /** Puts what the application sends in its place behind what was published before. To be called after `catchUp`. */
  send(frame: Frame): void {
    const isAtHead = this.#isReady && this.#isIdle && !this.#isTaking && this.position >= this.log.head;
    if (isAtHead && this.host.hasRoom) this.host.write(frame);
    else {
      // How far this node is behind its broker is known when the first channels have been asked for.
      const isUnknown = this.#state === 'new' && this.#loading !== undefined;
      this.#holding.push(frame, isUnknown ? Number.POSITIVE_INFINITY : this.log.head);
    }
  }

  /** Calls back when the stream has been given all that was published before, if that is there to be given. */
  close(done: () => void): void {
    if (this.#loading !== undefined || this.isWaiting) {
      this.#held?.release();
      for (let frame = this.#held?.take(0); frame !== undefined; frame = this.#held?.take(0)) {
        this.host.write(frame);
      }
      done();
      return;
    }
    this.#holding.end(this.log.head, done);
    this.catchUp();
  }

  /** What to send in place of a heartbeat, when the client's id has fallen behind what it has been given. */
  marker(): Frame | undefined {
    return this.#isReady && this.#isIdle ? this.tellHead() : undefined;
  }

  protected awake(): void {
    this.#isWoken = true;
    this.keepWhatWaits();
    this.log.wake(this);
  }

  protected keepWhatWaits(): void {
    this.keepNothing();
    if (this.#state !== 'begun') return;
    if (this.#loading !== undefined || this.isWaiting) this.keep(true);
    // What has nothing older is kept by its subscriptions, which takes no memory of its own.
    else if (this.#isWoken) this.keep(false);
  }

  /** The next thing to write; undefined when the stream is at the head. */
  #take(): Frame | undefined {
    while (this.#isReady) {
      if (!this.isClear) return this.takeFirst();
      const frame = this.#held?.take(this.position) ?? this.takeUpTo(this.#held?.next ?? this.log.head);
      if (frame !== undefined) return frame;
      if (!this.#isReady) break;
      if (this.#held?.isPending) continue;
      const end = this.#held?.onEnd;
      if (end !== undefined) {
        end();
        break;
      }
      if (!this.hasHadAll) return this.tellFirst();
      // That closes the stream, which has it end here.
      this.host.ended(this.mark('.'));
      if (this.#held?.onEnd === undefined) break;
    }
    return undefined;
  }

  get #holding(): Held {
    this.#held ??= new Held();
    return this.#held;
  }
}
