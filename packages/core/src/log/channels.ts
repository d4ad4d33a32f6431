import { forEachYielding } from '../base/event-loop.ts';
import type { Scheduler, Timed } from '../base/scheduler.ts';
import type { Position } from '../protocol/event-id.ts';
import { ChannelCounts } from './channel-counts.ts';
import { ChannelLog } from './channel-log.ts';
import { DroppedChannels } from './dropped-channels.ts';
import type { ChannelSettings } from './keep.ts';
import type { Pieces } from './pieces.ts';

/** What the channels need of their log. */
export interface ChannelsOptions {
  settingsOf: (name: string) => ChannelSettings;
  /** Maximum bytes of all histories together. */
  maxBytes: number;
  /** A broker stores the log. */
  isRemote: boolean;
  scheduler: Scheduler;
  /** Called when a channel is dropped from memory. */
  onDropped: (name: string) => void;
}

/** Minimum ms between two sweeps. */
const SWEEP_INTERVAL = 1_000;

/** ms for which joined entries are stored for other clients that reconnect at about the same time. */
const PIECES_AGE = 1_000;

/** Number of channels that are not in memory whose counts are stored. An inspector reads the counts of any channel. */
const MAX_COUNTS = 10_000;

/**
 * The channels in memory, by name, and the limits on all of them together. A channel is created at its first use, and
 * dropped when it has neither entries nor listeners; with a broker, when its entries are delivered and nobody listens.
 */
export class Channels implements Timed {
  slot: Set<Timed> | undefined;
  /** Bytes of all histories. */
  bytes = 0;
  /** Number of entries that were evicted because of a limit on all channels together. */
  evicted = 0;
  /** All entries up to this position were delivered to every live stream. */
  deliveredUpTo: Position = 0;
  /** Called when the oldest entry of a channel has reached half of its maximum age: its streams may need a marker. */
  onAging: (channel: ChannelLog) => void = () => {};
  readonly #options: ChannelsOptions;
  /** In the order of the last publish, oldest first. This is the order of eviction. */
  readonly #channels = new Map<string, ChannelLog>();
  /** The last channel in `#channels`. */
  #latest: ChannelLog | undefined;
  readonly #dropped = new DroppedChannels();
  /** The counts of channels that are not in memory, in the order in which they were stored. */
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
  /** Set when nothing more up to this position can be evicted, and the histories still exceed their limit. */
  #evictedUpTo: Position | undefined;
  /** ms: the shortest age limit of all channels at the last sweep. */
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

  /** A channel, if it is in memory. */
  find(name: string): ChannelLog | undefined {
    return this.#channels.get(name);
  }

  /** A channel. Creates it if it is not in memory. */
  get(name: string): ChannelLog {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      const { settingsOf, isRemote, scheduler } = this.#options;
      const settings = settingsOf(name);
      const trimmedUpTo = this.#dropped.newestOf(name);
      channel = new ChannelLog(name, settings, trimmedUpTo, this.#piecesInUse, isRemote);
      channel.rememberedUpTo = this.#dropped.find(name) ?? 0;
      channel.counts = this.#counts.get(name);
      this.#counts.delete(name);
      this.#channels.set(name, channel);
      this.#latest = channel;
      if (this.slot === undefined) scheduler.add(this, scheduler.now + settings.age / 4);
    }
    return channel;
  }

  /** The counts of a channel. The first call starts them. */
  countsOf(name: string): ChannelCounts {
    const channel = this.#channels.get(name);
    const counts = channel?.counts ?? this.#counts.get(name) ?? new ChannelCounts();
    if (channel === undefined) this.#storeCounts(name, counts);
    else channel.counts = counts;
    return counts;
  }

  /** Stores the counts of a channel that is not in memory. */
  #storeCounts(name: string, counts: ChannelCounts | undefined): void {
    if (counts === undefined) return;
    this.#counts.delete(name);
    this.#counts.set(name, counts);
    if (this.#counts.size <= MAX_COUNTS) return;
    const [oldest] = this.#counts.keys();
    if (oldest !== undefined) this.#counts.delete(oldest);
  }

  /** Must be called when an entry is appended to a channel. Moves it to the end of the order of eviction. */
  touch(channel: ChannelLog): void {
    if (channel === this.#latest) return;
    this.#channels.delete(channel.name);
    this.#channels.set(channel.name, channel);
    this.#latest = channel;
  }

  /** Changes the settings of a channel, if it is in memory. */
  configure(name: string, settings: ChannelSettings): void {
    const channel = this.#channels.get(name);
    if (channel !== undefined) this.count(channel, () => channel.configure(settings));
  }

  /** Runs a change of one history, and updates the bytes of all histories. */
  count(channel: ChannelLog, change: () => void): void {
    const before = channel.history.retainedBytes;
    change();
    this.bytes += channel.history.retainedBytes - before;
  }

  /** Trims one channel to its limits. */
  trim(channel: ChannelLog, deliveredUpTo = this.deliveredUpTo, now = this.#options.scheduler.now): void {
    this.count(channel, () => channel.trim(deliveredUpTo, now));
  }

  /** The histories exceed their limit: undelivered entries, and channels that are being read, cannot be evicted. */
  get exceedsBound(): boolean {
    return this.bytes > this.#options.maxBytes;
  }

  /**
   * Evicts entries until all histories together are within their limit. Compacted channels come last, because they
   * retain only the latest event of each key.
   */
  evict(): void {
    const { maxBytes } = this.#options;
    // The remaining entries cannot be evicted: they were not delivered, or their channels are being read.
    if (this.bytes <= maxBytes || this.#evictedUpTo === this.deliveredUpTo) return;
    for (const compact of [false, true]) {
      for (const channel of this.#channels.values()) {
        if (this.bytes <= maxBytes) return;
        const { history, isBeingRead } = channel;
        if (history.keep.compact !== compact || history.retainedBytes === 0 || isBeingRead) continue;
        this.count(channel, () => {
          this.evicted += channel.evict(this.deliveredUpTo, this.bytes - maxBytes);
        });
        this.#dropIfIdle(channel);
      }
    }
    this.#evictedUpTo = this.deliveredUpTo;
  }

  /** Sets `isBeingRead`. While it is set, a channel is neither evicted nor dropped. */
  setBeingRead(channels: { isBeingRead: boolean }[], isBeingRead: boolean): void {
    for (const channel of channels) channel.isBeingRead = isBeingRead;
    this.#evictedUpTo = undefined;
  }

  /** Must be called when the delivery loop becomes idle. Clears the joined entries after {@link PIECES_AGE}. */
  clearPiecesSoon(): void {
    const { scheduler } = this.#options;
    if (this.#piecesInUse.size === 0 || this.#pieceTimer.slot !== undefined) return;
    scheduler.add(this.#pieceTimer, scheduler.now + PIECES_AGE);
  }

  /** Removes all channels, and the positions of dropped channels. Returns the removed channels. */
  clear(): ChannelLog[] {
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    for (const { name, counts } of channels) this.#storeCounts(name, counts);
    this.#latest = undefined;
    this.#dropped.clear();
    this.#evictedUpTo = undefined;
    this.bytes = 0;
    return channels;
  }

  close(): void {
    this.#options.scheduler.delete(this);
    this.#options.scheduler.delete(this.#pieceTimer);
  }

  /** Sweeps the channels: trims entries that are too old, and drops channels without entries and listeners. */
  run(now: number): number {
    if (!this.#isSweeping) this.#sweep(now);
    if (this.#channels.size === 0) this.#options.scheduler.delete(this);
    return now + Math.max(SWEEP_INTERVAL, this.#shortestAge / 4);
  }

  async #sweep(now: number): Promise<void> {
    this.#isSweeping = true;
    this.#shortestAge = Number.POSITIVE_INFINITY;
    // A copy: `touch` moves a channel to the end.
    await forEachYielding([...this.#channels.values()], channel => {
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
    // With a broker, the entries can be read again.
    const isNeeded = listeners.size > 0 || (history.size > 0 && !this.#options.isRemote);
    const isUndelivered = history.newest > this.deliveredUpTo;
    if (isNeeded || isUndelivered || isBeingRead) return;
    // A `begin` without later entries is not an event that a client may have missed.
    const newest = history.size > 0 ? history.newest : history.trimmedUpTo;
    if (!history.isBlank) this.#dropped.add(name, newest);
    this.#channels.delete(name);
    this.#storeCounts(name, channel.counts);
    this.bytes -= history.retainedBytes;
    this.#options.onDropped(name);
  }
}
