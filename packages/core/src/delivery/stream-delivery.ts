import type { ChannelState } from '../log/channel-log.ts';
import type { Position } from '../protocol/event-id.ts';
import { Feed, type FeedHost } from './feed.ts';
import { findStart } from './resume.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import { Subscription } from './subscription.ts';

/** What a subscriber needs of its stream. */
export interface SubscriberHost extends FeedHost {
  readonly lastEventId: string | undefined;
  /** What was sent before it was subscribed to anything has not gone out. */
  readonly isBehind: boolean;
  /** What the stream begins with is there. */
  ready(): void;
}

const NONE: readonly Subscription[] = [];

/**
 * Follows channels for one stream: what has to be fetched first, and where it begins. It is a feed and a cursor, and
 * does not have them, since there are as many as streams.
 */
export class Subscriber extends Feed<SubscriberHost> {
  /** After which it begins. */
  #lastEventId: string | undefined;
  /** A broker is asked for what these need. */
  #loading: readonly Subscription[] | undefined;

  constructor(host: SubscriberHost) {
    super(host);
    this.#lastEventId = host.lastEventId;
  }

  protected get isLoading(): boolean {
    return this.#loading !== undefined;
  }

  get #unplaced(): readonly Subscription[] {
    return this.subscriptions.filter(({ isPlaced }) => !isPlaced);
  }

  /** For a stream whose head has gone out without any subscription: it has missed nothing. */
  beginLate(): void {
    this.state = 'begun';
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
    const added = names.map(name => this.#make(name, options));
    this.unsubscribe(names);
    // Who follows nothing has missed nothing.
    if (this.subscriptions.length === 0 && this.isReady) this.position = this.log.head;
    for (const subscription of added) subscription.join(this);
    // `push` and `...` would make room for many more, and most streams have one.
    this.subscriptions = this.subscriptions.concat(added);
    if (this.state === 'begun') this.load();
  }

  #make(name: string, options: SubscribeOptions): Subscription {
    return new Subscription(this.log.channels.get(name), options, this.log.now);
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
    this.state = 'left';
    for (const subscription of this.subscriptions) subscription.leave(this);
    this.clear();
    this.held?.clear();
  }

  /** Has what the subscriptions need fetched, if it is not there, and then goes on. */
  load(): void {
    if (this.#loading !== undefined) return;
    this.#loading = this.#unplaced;
    const end = this.held?.onEnd;
    if (this.log.mirror?.load(this) !== true) this.loaded();
    else if (end !== undefined) this.close(end);
    else this.keepWhatWaits();
  }

  /** After which positions a broker has to be asked for channels, as things stand now. */
  wants(): Map<string, Position> {
    this.#loading = this.#unplaced;
    const id = this.state === 'new' ? this.#lastEventId : undefined;
    const wants = new Map<string, Position>();
    for (const subscription of this.#loading) {
      const after = subscription.lacks(this.log, id);
      if (after !== undefined) wants.set(subscription.channel.name, after);
    }
    return wants;
  }

  loaded(): void {
    if (this.state === 'left') return;
    try {
      this.#goOn();
    } catch (error) {
      this.host.failed(error);
    }
  }

  #goOn(): void {
    const loaded = this.#loading ?? NONE;
    this.#loading = undefined;
    this.held?.settle(this.log.head);
    this.awaitTurn();
    const here = new Set(this.subscriptions);
    const wanted = loaded.filter(subscription => here.has(subscription));
    for (const subscription of wanted) subscription.place(this.log);
    if (this.state === 'begun') this.add(wanted);
    if (this.#unplaced.length > 0) this.load();
    else if (this.state === 'begun') this.log.wake(this);
    else this.host.ready();
  }

  /**
   * Takes up where the client left, once all is known that it asks for. To be called when `ready` is.
   *
   * @returns false: every channel has ended and the client has had it all, so that there is nothing to answer.
   */
  begin(): boolean {
    const start = findStart(this.log, this.subscriptions, this.#lastEventId);
    this.state = 'begun';
    if (start === undefined) return false;
    this.goTo(start);
    if (this.isIdle && this.hasHadAll && !this.host.isBehind) return false;
    this.log.wake(this);
    return true;
  }

  protected awake(): void {
    this.awaitTurn();
    this.log.wake(this);
  }

  /** Positions have lost their meaning: begins anew, as a client would that comes back with one of before. */
  startOver(): void {
    if (this.state === 'left') return;
    const before = this.subscriptions;
    const hadBegun = this.state === 'begun';
    this.state = 'new';
    this.#lastEventId = '';
    this.#loading &&= NONE;
    this.clear();
    this.held?.settle(0);
    this.subscriptions = before.map(({ channel, options }) => this.#make(channel.name, options));
    for (const subscription of this.subscriptions) subscription.join(this);
    if (hadBegun) this.load();
  }

  /** Something of channels is gone that the stream was to get: it goes on as one that subscribes to them now. */
  lose(channels: ReadonlySet<ChannelState>): void {
    if (this.state !== 'begun') {
      // What has been fetched for it may be gone as well.
      this.#loading &&= NONE;
      return;
    }
    const lost = this.subscriptions.filter(({ channel }) => channels.has(channel));
    this.tellLoss('history', lost);
    for (const { channel, options } of lost) this.#subscribe([channel.name], { filter: options.filter });
  }
}
