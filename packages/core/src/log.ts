import { type ChannelSettings, ChannelState } from './channel.ts';
import { type Entry, LogEntry } from './entry.ts';
import { createEpoch, formatId, type IdSuffix, type Position } from './position.ts';
import { nextTurn, type Scheduler, type Timed, TURN_BUDGET } from './scheduler.ts';
import type { Subscriber } from './subscriber.ts';

/** Bytes of all channels that may wait for a round of the flush to pass them. */
const PINNED = 16 * 1024 * 1024;

/**
 * The one order of a hub's events, and the walk that brings every stream to its head. A stream owns no queue: it
 * has a position, and what it has not been given is what stands after that in the histories of its channels.
 */
export class Log implements Timed {
  slot: Set<Timed> | undefined;
  /** The newest position. */
  head: Position = 0;
  readonly #channels = new Map<string, ChannelState>();
  readonly #settingsOf: (name: string) => ChannelSettings;
  readonly #scheduler: Scheduler;
  readonly #maxBytes: number;
  #epoch: string | undefined;
  /** Of all channels. */
  #bytes = 0;
  /** Bytes newer than the last finished round. */
  #pinned = 0;
  #pinnedBefore = 0;
  /** The highest position of all channels that were dropped: one that is made again may have lost all up to there. */
  #forgotten: Position = 0;

  // The walk.
  #dirty = new Set<ChannelState>();
  #walked = new Set<ChannelState>();
  #list: Subscriber[] = [];
  #next = 0;
  #roundHead: Position = 0;
  #isScheduled = false;
  /** Every live stream has been given everything up to here. */
  passed: Position = 0;

  constructor(settingsOf: (name: string) => ChannelSettings, maxBytes: number, scheduler: Scheduler) {
    this.#settingsOf = settingsOf;
    this.#maxBytes = maxBytes;
    this.#scheduler = scheduler;
  }

  get epoch(): string {
    this.#epoch ??= createEpoch();
    return this.#epoch;
  }

  id(position: Position, suffix?: IdSuffix): string {
    return formatId(this.epoch, position, suffix);
  }

  /** A channel, made if need be. */
  channel(name: string): ChannelState {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      const settings = this.#settingsOf(name);
      channel = new ChannelState(name, settings, this.#forgotten);
      this.#channels.set(name, channel);
      if (this.slot === undefined) this.#scheduler.add(this, this.#scheduler.now + settings.age / 4);
    }
    return channel;
  }

  /** A channel, if there is one now. */
  find(name: string): ChannelState | undefined {
    return this.#channels.get(name);
  }

  /** Adds the next entry of the order. */
  accept(entry: Entry): void {
    const channel = this.channel(entry.channel);
    const logged = new LogEntry(entry, this.epoch, this.#scheduler.now);
    this.head = entry.position;
    // The channel that was published to least recently is the first to lose its history.
    this.#channels.delete(channel.name);
    this.#channels.set(channel.name, channel);
    this.#pinned += logged.size;
    this.#count(channel, () => {
      channel.append(logged);
      if (this.#pinned > PINNED) channel.endRound(this.head, this.#scheduler.now);
    });
    if (this.#bytes > this.#maxBytes) this.#evict();
    this.#dirty.add(channel);
    this.#schedule();
  }

  /** Has a stream visited that was behind and has room again, or has just begun. */
  wake(subscriber: Subscriber): void {
    this.#list.push(subscriber);
    this.#schedule();
  }

  visit(now: number): number {
    let soonest = Number.POSITIVE_INFINITY;
    for (const channel of this.#channels.values()) {
      this.#count(channel, () => channel.endRound(this.passed, now));
      soonest = Math.min(soonest, channel.history.keep.age);
      this.#forgetIfIdle(channel);
    }
    if (this.#channels.size === 0) this.#scheduler.delete(this);
    return now + soonest / 4;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    nextTurn(() => this.#walk());
  }

  /** One work list and one budget for everything: live streams, laggards, and those that resume. */
  #walk(): void {
    const start = performance.now();
    for (;;) {
      while (this.#next < this.#list.length) {
        (this.#list[this.#next++] as Subscriber).catchUp();
        if (performance.now() - start > TURN_BUDGET) {
          nextTurn(() => this.#walk());
          return;
        }
      }
      this.#endRound();
      if (this.#dirty.size === 0) break;
      this.#beginRound();
    }
    this.#isScheduled = false;
  }

  #beginRound(): void {
    this.#roundHead = this.head;
    this.#pinnedBefore = this.#pinned;
    [this.#walked, this.#dirty] = [this.#dirty, this.#walked];
    for (const channel of this.#walked) {
      for (const subscriber of channel.subscribers) this.#list.push(subscriber);
    }
  }

  #endRound(): void {
    this.#list = [];
    this.#next = 0;
    this.passed = this.#roundHead;
    this.#pinned -= this.#pinnedBefore;
    this.#pinnedBefore = 0;
    for (const channel of this.#walked) {
      this.#count(channel, () => channel.endRound(this.passed, this.#scheduler.now));
    }
    this.#walked.clear();
  }

  #evict(): void {
    for (const channel of this.#channels.values()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#count(channel, () => channel.history.clear(this.passed));
      this.#forgetIfIdle(channel);
    }
  }

  /** Keeps the sum of all histories true through a change of one. */
  #count(channel: ChannelState, change: () => void): void {
    const before = channel.history.bytes;
    change();
    this.#bytes += channel.history.bytes - before;
  }

  #forgetIfIdle(channel: ChannelState): void {
    if (channel.subscribers.size > 0 || channel.history.size > 0) return;
    if (this.#dirty.has(channel) || this.#walked.has(channel)) return;
    this.#forgotten = Math.max(this.#forgotten, channel.history.newest);
    this.#channels.delete(channel.name);
  }
}
