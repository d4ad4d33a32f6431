import type { Position } from '../../protocol/event-id.ts';
import type { ChannelLog } from '../channel-log.ts';
import type { Channels } from '../channels.ts';
import type { LogEntry } from '../entry.ts';
import { FlushWindows } from './flush-windows.ts';

/** Maximum bytes of all undelivered entries, without the newest entry. */
const MAX_BYTES = 16 * 1024 * 1024;

/** The entries that were appended since the last round of the delivery loop, and the limit on their size. */
export class Undelivered {
  bytes = 0;
  readonly #channels: Channels;
  /** Channels with due entries. */
  #due = new Set<ChannelLog>();
  readonly #windows: FlushWindows;
  /** Channels with undelivered entries, in the order of their last publish. */
  readonly #evictable = new Set<ChannelLog>();

  /** @param onDue called when there is something to deliver in the next round. */
  constructor(channels: Channels, onDue: () => void) {
    this.#channels = channels;
    this.#windows = new FlushWindows(ended => {
      for (const channel of ended) this.#due.add(channel);
      onDue();
    });
  }

  /** Must be called when an entry was appended. Returns whether it is due. Otherwise it waits in a flush window. */
  add(channel: ChannelLog, entry: LogEntry): boolean {
    this.#evictable.delete(channel);
    this.#evictable.add(channel);
    this.bytes += entry.size;
    if (this.bytes - entry.size > MAX_BYTES) this.#evict(entry);
    if (!this.#due.has(channel) && this.#windows.add(channel, entry)) return false;
    this.#due.add(channel);
    return true;
  }

  /** Takes the channels with due entries. `waitingAfter`: no entry up to this position waits in a flush window. */
  takeDue(): { channels: ReadonlySet<ChannelLog>; bytes: number; waitingAfter: Position } {
    const channels = this.#due;
    this.#due = new Set();
    return {
      channels,
      bytes: Math.max(0, this.bytes - this.#windows.bytes),
      waitingAfter: this.#windows.after,
    };
  }

  /** Makes all entries due. */
  endWindows(): void {
    this.#windows.end();
  }

  /** Makes all entries due, now and in the future. */
  closeWindows(): void {
    this.#windows.close();
  }

  /** Called when a round has delivered `bytes`. Some of these entries may have been evicted since `takeDue`. */
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
