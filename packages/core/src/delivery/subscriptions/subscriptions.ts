import { TidingsError } from '../../base/errors.ts';
import { nextIteration } from '../../base/event-loop.ts';
import { show } from '../../base/option-checks.ts';
import type { LogListener } from '../../log/listener.ts';
import type { Log } from '../../log/log.ts';
import type { Position } from '../../protocol/event-id.ts';
import { Gap } from '../reader/next.ts';
import type { BoundOptions } from './subscribe-options.ts';
import { type Beginning, type Subscriber, Subscription } from './subscription.ts';

const NONE: readonly Subscription[] = [];

/** The subscriptions of one stream, and what they lack of their channels. */
export class Subscriptions {
  list = NONE;
  readonly log: Log;
  readonly #listener: LogListener;
  /** Subscriptions made in the same iteration as the first one resume after Last-Event-ID. */
  #isFirstIteration = true;

  constructor(log: Log, listener: LogListener) {
    this.log = log;
    this.#listener = listener;
    nextIteration(() => {
      this.#isFirstIteration = false;
    });
  }

  /** Gives another filter to the subscriptions that are there already. Returns the names of the others. */
  setFilter(names: readonly string[], filter: BoundOptions['filter']): string[] {
    const others = new Set(names);
    for (const subscription of this.list) {
      if (others.delete(subscription.channel.name)) subscription.setFilter(filter);
    }
    return [...others];
  }

  /**
   * Subscribes, in place of earlier subscriptions to the same channels.
   *
   * @param at the position that is "now". Default: the newest position.
   * @throws what the application's own options throw, before anything is changed.
   */
  add(names: readonly string[], options: BoundOptions, at?: Position): void {
    const added = names.map(name => this.#create(name, options, at));
    this.remove(names);
    for (const subscription of added) this.#attach(subscription);
    // `push` and spread would reserve room for many more, and most streams have one.
    this.list = this.list.concat(added);
  }

  #create(name: string, options: BoundOptions, at: Position | undefined): Subscription {
    const channel = this.log.channels.get(name);
    if (options.from === 'state' && !channel.hasState) {
      throw new TidingsError(
        'invalid-option',
        `from: 'state' needs a channel with compact or snapshot; ${show(name)} has neither`,
      );
    }
    const isLate = at !== undefined || !this.#isFirstIteration;
    return new Subscription(channel, options, at ?? this.log.now, isLate);
  }

  #attach(subscription: Subscription): void {
    subscription.channel.listeners.add(this.#listener);
    // Until the first delivery; see `releaseStart`.
    subscription.channel.retentions.add(subscription);
  }

  has(name: string): boolean {
    return this.list.some(({ channel }) => channel.name === name);
  }

  /** Returns whether there were any. */
  remove(names: readonly string[]): boolean {
    const removed = new Set(names);
    const others = this.list.filter(({ channel }) => !removed.has(channel.name));
    if (others.length === this.list.length) return false;
    for (const subscription of this.list) {
      if (removed.has(subscription.channel.name)) this.#cancel(subscription);
    }
    this.list = others;
    return true;
  }

  clear(): void {
    for (const subscription of this.list) this.#cancel(subscription);
    this.list = NONE;
  }

  #cancel(subscription: Subscription): void {
    subscription.isCancelled = true;
    subscription.channel.retentions.delete(subscription);
    subscription.channel.listeners.delete(this.#listener);
  }

  /**
   * Makes them again, in a new epoch: the channels of the old one are forgotten. None of them is late any more.
   *
   * @param hasBegun the client gets a reset for each: for one that begins with the state, too, since keys may be missing.
   */
  renew(hasBegun: boolean): void {
    this.list = this.list.map(({ channel, options: { from, filter } }) => {
      const options = { from: hasBegun && from === 'state' ? undefined : from, filter };
      return new Subscription(this.log.channels.get(channel.name), options, this.log.now, false);
    });
    for (const subscription of this.list) this.#attach(subscription);
  }

  /** Those that have no start yet. */
  unplaced(): readonly Subscription[] {
    return this.list.filter(({ hasStart }) => !hasStart);
  }

  /** Those of these channels that have a start. Others are read again before they begin. */
  begunOf(channels: ReadonlySet<string>): readonly Subscription[] {
    return this.list.filter(({ channel, hasStart }) => hasStart && channels.has(channel.name));
  }

  /** What a stream at a position needs that was trimmed. A loop without closures: it runs before each write. */
  gapAt(position: Position): Gap | undefined {
    for (const subscription of this.list) {
      if (subscription.hasGap(position)) return new Gap(this.list.filter(each => each.hasGap(position)));
    }
    return undefined;
  }

  /** Whether all channels have ended, and have nothing more for a stream at a position. */
  areFinished(position: Position, subscriber: Subscriber): boolean {
    const { list } = this;
    for (const subscription of list) if (!subscription.isFinished(position, subscriber)) return false;
    // A filter that was called for this may have subscribed.
    return list.length > 0 && list === this.list;
  }

  /** Whether a client that resumes at a position would soon receive a reset. */
  areAboutToTrim(position: Position): boolean {
    const now = this.log.time;
    return this.list.some(({ channel }) => channel.isAboutToTrim(position, now));
  }

  /**
   * The channels of subscriptions that the broker has to be asked for, and after which position, as things are now.
   *
   * @param reached the position of the client's id: entries up to there exist.
   */
  wants(
    subscriptions: readonly Subscription[],
    beginning: Beginning,
    reached: Position,
  ): Map<string, Position> {
    const newest = subscriptions.reduce(
      (highest, subscription) => Math.max(highest, subscription.newestNamed(this.log)),
      reached,
    );
    // Somebody knows of a position that this process has not reached.
    const isAhead = newest > this.log.head;
    const wants = new Map<string, Position>();
    for (const subscription of subscriptions) {
      const { channel } = subscription;
      subscription.readLosses = channel.losses;
      const after = subscription.neededAfter(this.log, beginning);
      if (channel.lacks(after)) wants.set(channel.name, after);
      // Its entries are here up to the head. The read waits until they are here up to that position.
      else if (isAhead) wants.set(channel.name, this.log.head);
    }
    return wants;
  }
}

/** The channels of subscriptions, by filter: most streams have one. */
export function namesByFilter(subscriptions: readonly Subscription[]): Map<BoundOptions['filter'], string[]> {
  const names = new Map<BoundOptions['filter'], string[]>();
  for (const { channel, options } of subscriptions) {
    const others = names.get(options.filter);
    if (others === undefined) names.set(options.filter, [channel.name]);
    else others.push(channel.name);
  }
  return names;
}

/** Whether entries of subscriptions were lost since the broker was asked for them. */
export function needReread(subscriptions: readonly Subscription[]): boolean {
  return subscriptions.some(({ channel, readLosses }) => readLosses !== channel.losses);
}
