import type { ChannelLog, Retention } from '../log/channel-log.ts';
import type { LogReader } from './log-reader.ts';

/** What one stream has channels retain while it cannot be written to: entries that it needs are not trimmed. */
export class Retentions {
  readonly #held: [channel: ChannelLog, retention: Retention][] = [];

  get isActive(): boolean {
    return this.#held.length > 0;
  }

  /** Retains what a reader needs from here on, in place of what was retained before. */
  retain(reader: LogReader): void {
    this.release();
    for (const subscription of reader.subscriptions) {
      const { channel } = subscription;
      const retention = { start: reader.neededAfter(subscription) };
      channel.retentions.add(retention);
      this.#held.push([channel, retention]);
    }
  }

  release(): void {
    for (const [channel, retention] of this.#held) channel.retentions.delete(retention);
    this.#held.length = 0;
  }
}
