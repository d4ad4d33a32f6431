/**
 * The state of one channel in this process, and the events published to it since the first call of `channel.stats()`.
 */
export interface ChannelStats {
  /** Gauge: streams that are subscribed to it. */
  subscribers: number;
  /** Gauge: events that its history retains. */
  retained: number;
  /** Gauge: approximate size of its history, in bytes. */
  retainedBytes: number;
  /**
   * When counting began, in ms since 1970: with the first call for this channel. The hub stores the counts of up to
   * 10,000 channels that are not in memory. The counts of other channels begin again.
   */
  since: number;
  /**
   * Counter: events published to it since then. With a broker, by all processes, while this process has subscribers for
   * the channel.
   */
  published: number;
  /** Counter: size of these events as they are sent, in bytes, without framing. */
  publishedBytes: number;
}
