import type { Position } from '../../protocol/event-id.ts';
import type { ChannelLog } from '../channel-log.ts';
import type { Channels } from '../channels.ts';
import type { LogEntry } from '../entry.ts';
import { FlushWindows } from './flush-windows.ts';

/** Bytes of all channels that may wait to be delivered, the newest entry not counted. */
const MAX_BYTES = 16 * 1024 * 1024;

/** What was appended since the last round of the delivery loop, and the bound on it. */
export class Undelivered {
  bytes = 0;
  readonly #channels: Channels;
  /** Channels with entries since the last round that are due. */
  #due = new Set<ChannelLog>();
  readonly #windows: FlushWindows;
  /** Channels with entries that could be evicted, the one that was published to last at the end. */
  readonly #evictable = new Set<ChannelLog>();

  /** @param onDue called when there is something to deliver in the next round. */
  constructor(channels: Channels, onDue: () => void) {
    this.#channels = channels;
    this.#windows = new FlushWindows(ended => {
      for (const channel of ended) this.#due.add(channel);
      onDue();
    });
  }

  /** To be called when an entry was appended. Returns whether it is due; if not, it waits in a flush window. */
  add(channel: ChannelLog, entry: LogEntry): boolean {
    this.#evictable.delete(channel);
    this.#evictable.add(channel);
    this.bytes += entry.size;
    if (this.bytes - entry.size > MAX_BYTES) this.#evict(entry);
    if (!this.#due.has(channel) && this.#windows.add(channel, entry)) return false;
    this.#due.add(channel);
    return true;
  }

  /** The channels with entries since the last call that are due. */
  takeDue(): { channels: ReadonlySet<ChannelLog>; bytes: number; waitingAfter: Position } {
    const channels = this.#due;
    this.#due = new Set();
    return {
      channels,
      bytes: Math.max(0, this.bytes - this.#windows.bytes),
      waitingAfter: this.#windows.after,
    };
  }

  /** Everything is due now. */
  endWindows(): void {
    this.#windows.end();
  }

  /** Everything is due now, and from now on. */
  closeWindows(): void {
    this.#windows.close();
  }

  /** So many bytes were delivered. Some of them may have been evicted since they were taken. */
  deliver(bytes: number): void {
    this.bytes = Math.max(0, this.bytes - bytes);
    if (this.bytes === 0) this.#evictable.clear();
  }

  clear(): void {
    this.bytes = 0;
    this.#due = new Set();
    this.#windows.clear();
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
