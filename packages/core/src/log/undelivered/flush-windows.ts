import { createOutside } from '../../base/async-context.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { ChannelLog } from '../channel-log.ts';
import type { LogEntry } from '../entry.ts';

/** Maximum bytes of one window. It ends early if there are more. */
const MAX_BYTES = 1024 * 1024;

/** Channels whose new entries will be delivered together. */
interface FlushWindow {
  readonly channels: Set<ChannelLog>;
  /** The position before its first entry. */
  readonly after: Position;
  bytes: number;
  readonly stop: () => void;
}

/**
 * Channels whose entries are not due yet. All channels with the same `flushInterval` share one window, which begins
 * with an entry and lasts for the interval. So a stream that follows many such channels gets one write.
 */
export class FlushWindows {
  readonly #onEnd: (channels: ReadonlySet<ChannelLog>) => void;
  /** By their interval, in ms. */
  readonly #windows = new Map<number, FlushWindow>();
  readonly #outside = createOutside();
  #isClosed = false;

  /**
   * @param onEnd called with the channels of each window that ends, either within a call of this class or in a timer.
   */
  constructor(onEnd: (channels: ReadonlySet<ChannelLog>) => void) {
    this.#onEnd = onEnd;
  }

  /** Bytes of the waiting entries. */
  get bytes(): number {
    let bytes = 0;
    for (const window of this.#windows.values()) bytes += window.bytes;
    return bytes;
  }

  /** No entry up to this position is waiting. */
  get after(): Position {
    let after = Number.POSITIVE_INFINITY;
    for (const window of this.#windows.values()) after = Math.min(after, window.after);
    return after;
  }

  /**
   * Must be called when an entry was appended. Returns false if the entry is due, since its channel has no interval.
   */
  add(channel: ChannelLog, entry: LogEntry): boolean {
    const { flushInterval } = channel;
    if (flushInterval === 0 || this.#isClosed) return false;
    let window = this.#windows.get(flushInterval);
    if (window === undefined) {
      const stop = this.#startTimer(flushInterval);
      window = { channels: new Set(), after: entry.position - 1, bytes: 0, stop };
      this.#windows.set(flushInterval, window);
    }
    window.channels.add(channel);
    window.bytes += entry.size;
    if (window.bytes > MAX_BYTES) this.#end(flushInterval);
    return true;
  }

  /** Ends all windows now. */
  end(): void {
    for (const interval of [...this.#windows.keys()]) this.#end(interval);
  }

  /** Ends all windows, and starts no new ones. */
  close(): void {
    this.#isClosed = true;
    this.end();
  }

  /** Drops all windows without calling `onEnd`. */
  clear(): void {
    for (const { stop } of this.#windows.values()) stop();
    this.#windows.clear();
  }

  #end(interval: number): void {
    const window = this.#windows.get(interval);
    if (window === undefined) return;
    window.stop();
    this.#windows.delete(interval);
    this.#onEnd(window.channels);
  }

  /** Returns a function that stops the timer. */
  #startTimer(ms: number): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isStopped = false;
    this.#outside(() => {
      if (isStopped) return;
      timer = setTimeout(() => this.#end(ms), ms);
      // Open responses keep the process alive. The timer must not.
      timer.unref?.();
    });
    return () => {
      isStopped = true;
      clearTimeout(timer);
    };
  }
}
