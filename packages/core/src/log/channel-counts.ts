import type { LogEntry } from './entry.ts';

/** What was published to one channel since somebody first asked. It outlives the channel's time in memory, within bounds. */
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
