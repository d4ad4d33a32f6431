import type { ChannelLog } from './channel-log.ts';
import type { Channels } from './channels.ts';
import type { LogEntry } from './entry.ts';

/** Bytes of all channels that may wait to be delivered, the newest entry not counted. */
const MAX_BYTES = 16 * 1024 * 1024;

/** What was appended since the last round of the delivery loop, and the bound on it. */
export class Undelivered {
  bytes = 0;
  readonly #channels: Channels;
  /** Channels with entries since the last round. */
  #due = new Set<ChannelLog>();
  /** Channels with entries that could be evicted, the one that was published to last at the end. */
  readonly #evictable = new Set<ChannelLog>();

  constructor(channels: Channels) {
    this.#channels = channels;
  }

  /** To be called when an entry was appended. */
  add(channel: ChannelLog, entry: LogEntry): void {
    this.#due.add(channel);
    this.#evictable.delete(channel);
    this.#evictable.add(channel);
    this.bytes += entry.size;
    if (this.bytes - entry.size > MAX_BYTES) this.#evict(entry);
  }

  /** The channels with entries since the last call. */
  takeDue(): ReadonlySet<ChannelLog> {
    const due = this.#due;
    this.#due = new Set();
    return due;
  }

  /** So many bytes were delivered. Some of them may have been evicted since they were taken. */
  deliver(bytes: number): void {
    this.bytes = Math.max(0, this.bytes - bytes);
    if (this.bytes === 0) this.#evictable.clear();
  }

  clear(): void {
    this.bytes = 0;
    this.#due = new Set();
    this.#evictable.clear();
  }

  /** Evicts the oldest entries that were not delivered, channel by channel, but not the newest entry. */
  #evict(newest: LogEntry): void {
    for (const channel of this.#evictable) {
      const excess = this.bytes - newest.size - MAX_BYTES;
      if (excess <= 0) return;
      this.#channels.count(channel, () => {
        this.#channels.evicted += channel.evict(this.#channels.deliveredUpTo, Number.POSITIVE_INFINITY);
        const { bytes } = channel.history;
        this.#channels.evicted += channel.evictUndelivered(newest.position - 1, excess);
        this.bytes -= bytes - channel.history.bytes;
      });
      if (channel.history.size === 0) this.#evictable.delete(channel);
    }
  }
}
