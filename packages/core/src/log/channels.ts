import { inTurns } from '../base/event-loop.ts';
import type { Scheduler, Timed } from '../base/scheduler.ts';
import type { Position } from '../protocol/event-id.ts';
import { ChannelCounts } from './channel-counts.ts';
import { ChannelLog } from './channel-log.ts';
import { ForgottenChannels } from './forgotten-channels.ts';
import type { ChannelSettings } from './keep.ts';
import type { Pieces } from './pieces.ts';

/** What the channels take from their log. */
export interface ChannelsOptions {
  settingsOf: (name: string) => ChannelSettings;
  /** Bytes of all histories together. */
  maxBytes: number;
  /** A broker has the log. */
  isRemote: boolean;
  scheduler: Scheduler;
  /** Called when a channel is dropped from memory. */
  onDropped: (name: string) => void;
}

/** ms between two sweeps, at least. */
const SWEEP_INTERVAL = 1_000;

/** ms for which joined writes are kept for clients that reconnect at about the same time. */
const PIECES_KEPT = 1_000;

/** Channels that are not in memory whose counts are kept: an inspector asks for those of any channel. */
const MAX_COUNTS = 10_000;

/** The channels in this process, by name, and the bounds on all of them together. Channels come and go. */
export class Channels implements Timed {
  slot: Set<Timed> | undefined;
  /** Bytes of all histories. */
  bytes = 0;
  /** Entries that were evicted because there were too many bytes. */
  evicted = 0;
  /** Every live stream has been given everything up to here. */
  deliveredUpTo: Position = 0;
  /** Called when entries of a channel are half as old as they may get: its streams may need a marker. */
  onAging: (channel: ChannelLog) => void = () => {};
  readonly #options: ChannelsOptions;
  /** The channel that was published to least recently comes first, and is the first whose history is evicted. */
  readonly #channels = new Map<string, ChannelLog>();
  /** The last of them. */
  #latest: ChannelLog | undefined;
  readonly #forgotten = new ForgottenChannels();
  /** Of channels that are not in memory. The one that was kept first comes first. */
  readonly #counts = new Map<string, ChannelCounts>();
  readonly #piecesInUse = new Set<Pieces>();
  readonly #pieceTimer: Timed = {
    slot: undefined,
    run: now => {
      for (const pieces of this.#piecesInUse) pieces.clear();
      this.#options.scheduler.delete(this.#pieceTimer);
      return now;
    },
  };
  #isSweeping = false;
  /** Set when everything that was delivered has been evicted, and that was not enough. */
  #evictedUpTo: Position | undefined;
  /** ms. */
  #shortestAge = Number.POSITIVE_INFINITY;

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#channels.size;
  }

  all(): Iterable<ChannelLog> {
    return this.#channels.values();
  }

  /** A channel, if it is in memory now. */
  find(name: string): ChannelLog | undefined {
    return this.#channels.get(name);
  }

  /** A channel. Brings it into memory if need be. */
  get(name: string): ChannelLog {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      const { settingsOf, isRemote, scheduler } = this.#options;
      const settings = settingsOf(name);
      const trimmedUpTo = this.#forgotten.newestOf(name);
      channel = new ChannelLog(name, settings, trimmedUpTo, this.#piecesInUse, isRemote);
      channel.rememberedUpTo = this.#forgotten.find(name) ?? 0;
      channel.counts = this.#counts.get(name);
      this.#counts.delete(name);
      this.#channels.set(name, channel);
      this.#latest = channel;
      if (this.slot === undefined) scheduler.add(this, scheduler.now + settings.age / 4);
    }
    return channel;
  }

  /** What is published to a channel from the first call on. */
  countsOf(name: string): ChannelCounts {
    const channel = this.#channels.get(name);
    const counts = channel?.counts ?? this.#counts.get(name) ?? new ChannelCounts();
    if (channel === undefined) this.#keepCounts(name, counts);
    else channel.counts = counts;
    return counts;
  }

  /** Keeps the counts of a channel that is not in memory. */
  #keepCounts(name: string, counts: ChannelCounts | undefined): void {
    if (counts === undefined) return;
    this.#counts.delete(name);
    this.#counts.set(name, counts);
    if (this.#counts.size <= MAX_COUNTS) return;
    const [oldest] = this.#counts.keys();
    if (oldest !== undefined) this.#counts.delete(oldest);
  }

  /** To be called when an entry is appended to a channel. */
  touch(channel: ChannelLog): void {
    if (channel === this.#latest) return;
    this.#channels.delete(channel.name);
    this.#channels.set(channel.name, channel);
    this.#latest = channel;
  }

  /** Changes how a channel is kept, if it is in memory. */
  configure(name: string, settings: ChannelSettings): void {
    const channel = this.#channels.get(name);
    if (channel !== undefined) this.count(channel, () => channel.configure(settings));
  }

  /** Keeps the sum of all histories right through a change of one. */
  count(channel: ChannelLog, change: () => void): void {
    const before = channel.history.retainedBytes;
    change();
    this.bytes += channel.history.retainedBytes - before;
  }

  /** Trims one channel to its limits. */
  trim(channel: ChannelLog, deliveredUpTo = this.deliveredUpTo, now = this.#options.scheduler.now): void {
    this.count(channel, () => channel.trim(deliveredUpTo, now));
  }

  /** What is retained cannot be evicted: it was not delivered. */
  get exceedsBound(): boolean {
    return this.bytes > this.#options.maxBytes;
  }

  /** Evicts what exceeds the bound of all histories. Compacted channels come last: they have each value once. */
  evict(): void {
    const { maxBytes } = this.#options;
    // What is left may not have been delivered: nothing more can be evicted until it is.
    if (this.bytes <= maxBytes || this.#evictedUpTo === this.deliveredUpTo) return;
    for (const compact of [false, true]) {
      for (const channel of this.#channels.values()) {
        if (this.bytes <= maxBytes) return;
        if (channel.history.keep.compact !== compact || channel.history.retainedBytes === 0) continue;
        this.count(channel, () => {
          this.evicted += channel.evict(this.deliveredUpTo, this.bytes - maxBytes);
        });
        this.#dropIfIdle(channel);
      }
    }
    this.#evictedUpTo = this.deliveredUpTo;
  }

  /** To be called when the delivery loop comes to rest: clears joined writes, once other streams could share them. */
  clearPiecesSoon(): void {
    const { scheduler } = this.#options;
    if (this.#piecesInUse.size === 0 || this.#pieceTimer.slot !== undefined) return;
    scheduler.add(this.#pieceTimer, scheduler.now + PIECES_KEPT);
  }

  /** Forgets all channels, and that there were any. Returns them. */
  clear(): ChannelLog[] {
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    for (const { name, counts } of channels) this.#keepCounts(name, counts);
    this.#latest = undefined;
    this.#forgotten.clear();
    this.#evictedUpTo = undefined;
    this.bytes = 0;
    return channels;
  }

  close(): void {
    this.#options.scheduler.delete(this);
    this.#options.scheduler.delete(this.#pieceTimer);
  }

  /** Sweeps the channels: trims what is too old, and drops those that have nothing left. */
  run(now: number): number {
    if (!this.#isSweeping) this.#sweep(now);
    if (this.#channels.size === 0) this.#options.scheduler.delete(this);
    return now + Math.max(SWEEP_INTERVAL, this.#shortestAge / 4);
  }

  async #sweep(now: number): Promise<void> {
    this.#isSweeping = true;
    this.#shortestAge = Number.POSITIVE_INFINITY;
    // A copy: `touch` moves a channel to the end.
    await inTurns([...this.#channels.values()], channel => {
      if (this.#channels.get(channel.name) !== channel) return;
      if (channel.listeners.size > 0 && channel.history.isAging(now)) this.onAging(channel);
      this.trim(channel, this.deliveredUpTo, now);
      this.#shortestAge = Math.min(this.#shortestAge, channel.history.keep.age);
      this.#dropIfIdle(channel);
    });
    this.#isSweeping = false;
  }

  #dropIfIdle(channel: ChannelLog): void {
    const { history, listeners, isBeingRead, name } = channel;
    // What a broker retains can be read again.
    const isNeeded = listeners.size > 0 || (history.size > 0 && !this.#options.isRemote);
    const isUndelivered = history.newest > this.deliveredUpTo;
    if (isNeeded || isUndelivered || isBeingRead) return;
    // A `begin` that nothing followed is nothing that a client may have missed.
    const newest = history.size > 0 ? history.newest : history.trimmedUpTo;
    if (!history.isBlank) this.#forgotten.add(name, newest);
    this.#channels.delete(name);
    this.#keepCounts(name, channel.counts);
    this.bytes -= history.retainedBytes;
    this.#options.onDropped(name);
  }
}
