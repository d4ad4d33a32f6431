import type { LogEntry } from './entry.ts';

/**
 * Counts the events of one channel since the first call of `channel.stats()`. The counts are stored after the channel
 * was dropped from memory, for a limited number of channels.
 */
export class ChannelCounts {
  /** ms since 1970. */
  readonly since = Date.now();
  events = 0;
  bytes = 0;

  add({ frame }: LogEntry): void {
    if (frame === undefined) return;
    this.events += 1;
    this.bytes += frame.length;
  }
}
