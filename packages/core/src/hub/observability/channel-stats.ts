/** What one channel holds now in this process, and what has been published to it since somebody first asked. */
export interface ChannelStats {
  /** Gauge: streams that are subscribed to it. */
  subscribers: number;
  /** Gauge: events that its history retains. */
  retained: number;
  /** Gauge, bytes, about: of its history. */
  retainedBytes: number;
  /**
   * When counting began, in ms since 1970: with the first call for this channel. Counts of up to 10,000 channels that are
   * not in memory are kept; of further ones, they begin again.
   */
  since: number;
  /**
   * Counter: events published to it since then. With a broker: by all processes, while this one has subscribers for the
   * channel.
   */
  published: number;
  /** Counter, bytes: of these events as they are sent, framing not counted. */
  publishedBytes: number;
}
