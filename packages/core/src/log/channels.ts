import { inTurns, type Scheduler, type Timed } from '../base/scheduler.ts';
import type { Meter } from '../hub/stats.ts';
import type { Position } from '../protocol/event-id.ts';
import type { Mirror } from './broker-sync.ts';
import { type ChannelSettings, ChannelState } from './channel-log.ts';

/** What channels have to know of the log that they are part of. */
export interface ChannelsHost {
  /** Every live stream has been given everything up to here. */
  readonly passed: Position;
  readonly mirror: Mirror | undefined;
  /** Whether streams are yet to be given what has come to a channel. */
  isDue(channel: ChannelState): boolean;
}

/** Ms between two sweeps, at least. */
const SWEEP_INTERVAL = 1_000;

/** The channels of a log, by name, and the bounds on all of them together: they come and go. */
export class Channels implements Timed {
  slot: Set<Timed> | undefined;
  /** Bytes that the histories of all take. */
  bytes = 0;
  readonly #host: ChannelsHost;
  readonly #settingsOf: (name: string) => ChannelSettings;
  readonly #maxBytes: number;
  readonly #scheduler: Scheduler;
  readonly #meter: Meter;
  /** The channel that was published to least recently is the first, and the first to lose its history. */
  readonly #channels = new Map<string, ChannelState>();
  /** The last of them. */
  #latest: ChannelState | undefined;
  /** The highest position of all channels that were dropped: one that is made again may have lost all up to there. */
  #forgotten: Position = 0;
  #isSweeping = false;
  /** Ms. */
  #shortestAge = Number.POSITIVE_INFINITY;

  constructor(
    host: ChannelsHost,
    settingsOf: (name: string) => ChannelSettings,
    maxBytes: number,
    scheduler: Scheduler,
    meter: Meter,
  ) {
    this.#host = host;
    this.#settingsOf = settingsOf;
    this.#maxBytes = maxBytes;
    this.#scheduler = scheduler;
    this.#meter = meter;
  }

  get size(): number {
    return this.#channels.size;
  }

  names(): Iterable<string> {
    return this.#channels.keys();
  }

  /** A channel, if there is one now. */
  find(name: string): ChannelState | undefined {
    return this.#channels.get(name);
  }

  /** A channel, made if need be. */
  get(name: string): ChannelState {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      const settings = this.#settingsOf(name);
      channel = new ChannelState(name, settings, this.#forgotten, this.#host.mirror !== undefined);
      this.#channels.set(name, channel);
      this.#latest = channel;
      if (this.slot === undefined) this.#scheduler.add(this, this.#scheduler.now + settings.age / 4);
    }
    return channel;
  }

  /** To be called when something is published to a channel. */
  touch(channel: ChannelState): void {
    if (channel === this.#latest) return;
    this.#channels.delete(channel.name);
    this.#channels.set(channel.name, channel);
    this.#latest = channel;
  }

  /** Changes how a channel is kept, if it is there. */
  configure(name: string, settings: ChannelSettings): void {
    const channel = this.#channels.get(name);
    if (channel !== undefined) this.count(channel, () => channel.configure(settings));
  }

  /** Keeps the sum of all histories true through a change of one. */
  count(channel: ChannelState, change: () => void): void {
    const before = channel.history.bytes;
    change();
    this.bytes += channel.history.bytes - before;
  }

  /** Has a channel drop what is over its bounds. */
  trim(channel: ChannelState, passed = this.#host.passed, now = this.#scheduler.now): void {
    this.count(channel, () => channel.endRound(passed, now));
  }

  /** Drops what is over the bound of all. States last: a compacted channel has each of its values once. */
  evict(): void {
    if (this.bytes <= this.#maxBytes) return;
    for (const compact of [false, true]) {
      for (const channel of this.#channels.values()) {
        if (this.bytes <= this.#maxBytes) return;
        if (channel.history.keep.compact !== compact || channel.history.size === 0) continue;
        this.count(channel, () => channel.release(this.#host.passed, this.bytes - this.#maxBytes));
        this.#forgetIfIdle(channel);
      }
    }
  }

  /** Forgets all of them, and that there have been any. Returns them. */
  clear(): ChannelState[] {
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    this.bytes = this.#forgotten = 0;
    return channels;
  }

  close(): void {
    this.#scheduler.delete(this);
  }

  /** Sweeps the channels: drops what is too old, and forgets those that have nothing left. */
  visit(now: number): number {
    if (!this.#isSweeping) this.#sweep(now);
    if (this.#channels.size === 0) this.#scheduler.delete(this);
    // What keeps nothing is gone with its round; it is not for a sweep to hurry after it.
    return now + Math.max(SWEEP_INTERVAL, this.#shortestAge / 4);
  }

  async #sweep(now: number): Promise<void> {
    this.#isSweeping = true;
    this.#shortestAge = Number.POSITIVE_INFINITY;
    await inTurns(this.#channels.values(), channel => {
      this.trim(channel, this.#host.passed, now);
      this.#shortestAge = Math.min(this.#shortestAge, channel.history.keep.age);
      this.#forgetIfIdle(channel);
    });
    this.#isSweeping = false;
  }

  #forgetIfIdle(channel: ChannelState): void {
    const { mirror } = this.#host;
    // What a broker keeps can be had again.
    if (channel.subscribers.size > 0 || (channel.history.size > 0 && mirror === undefined)) return;
    if (this.#host.isDue(channel) || mirror?.isFetching(channel.name)) return;
    this.#forgotten = Math.max(this.#forgotten, channel.history.newest);
    this.#channels.delete(channel.name);
    this.bytes -= channel.history.bytes;
    mirror?.shut(channel.name);
    this.#meter.channelDropped(channel.name);
  }
}
