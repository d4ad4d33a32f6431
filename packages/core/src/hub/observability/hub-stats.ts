import type { ConnectionStats } from '../../log/broker/broker-health.ts';
import type { QueueStats } from '../../log/broker/publish-queue.ts';
import type { ResetReason } from '../../protocol/reset.ts';
import type { CloseReason } from '../../stream/event-stream.ts';

/**
 * The current state of a hub, and its counts since it was created. In this process only. A gauge goes up and down; a
 * counter only goes up.
 */
export interface HubStats {
  /** Gauge: open streams. */
  streams: number;
  /** Gauge: clients that have a stream. */
  clients: number;
  /** Gauge: channels in memory. They have subscribers, or retain events. */
  channels: number;
  /** Gauge: approximate size of all histories, in bytes. */
  historyBytes: number;
  /** Gauge: slow consumers, which are streams whose client reads too slowly. */
  lagging: number;
  /** Gauge: events that slow consumers have not received yet, of all together, before filters. */
  lagEvents: number;
  /** Gauge: age of the oldest of these events, in ms. Accurate to about 500 ms, the precision of the hub's clock. */
  lagAge: number;
  /** Gauge: bytes that are buffered in this process until clients read. */
  bufferedBytes: number;
  /** Counter: streams that were opened. */
  opened: number;
  /** Counters: those of them that have closed, by reason. */
  closed: Partial<Record<CloseReason, number>>;
  /** Counter: requests that were refused, because of a limit or because the hub was closing. */
  refused: number;
  /** Counter: events accepted from this process. */
  published: number;
  /** Counters: events that were not accepted, by the code of the error (`unknown` if it is not a TidingsError). */
  publishErrors: Record<string, number>;
  /** Counter: events passed to transports, one for each stream. It includes `reset` events, but not markers. */
  delivered: number;
  /** Counter: bytes passed to transports, without framing. */
  deliveredBytes: number;
  /** Counter: how often a stream became a slow consumer. */
  lagged: number;
  /** Counter: `reset` events. */
  resets: number;
  /** Counters: `reset` events by reason. */
  resetReasons: Partial<Record<ResetReason, number>>;
  /** Counter: streams that resumed after their client's Last-Event-ID. */
  replayed: number;
  /** Counter: events that clients with a Last-Event-ID received until they had caught up. */
  replayedEvents: number;
  /** Counter: size of these events, in bytes. */
  replayedBytes: number;
  /** Counter: channels dropped from memory. */
  dropped: number;
  /**
   * Counter: entries evicted because all histories together exceeded their limit. A stream that had not received one
   * gets a `reset`.
   */
  evicted: number;
  /** The calls of `authorize`. */
  authorize: AuthorizeStats;
  /** The delivery of published events. */
  delivery: DeliveryStats;
  /** The connection to the broker; undefined without a broker. */
  broker: BrokerStats | undefined;
}

/** The results of the calls of `authorize`: one call for each channel of a stream, and one for each recheck. */
export interface AuthorizeStats {
  /** Counter: channels that were allowed. */
  allowed: number;
  /** Counter: channels that were refused. */
  refused: number;
  /** Counter: channels that were refused because `authorize` failed, or did not settle in time. */
  failed: number;
  /** Counter: total time of these calls, in ms. */
  duration: number;
}

/** The duration of deliveries. */
export interface DeliveryStats {
  /**
   * Counter: rounds. A round delivers the events that were published before it to every stream that is not a slow
   * consumer.
   */
  rounds: number;
  /** Counter: total time of all rounds, in ms. */
  duration: number;
  /**
   * Gauge: the longest time for which a delivery blocked the event loop without a pause, in the last 30 to 60 seconds,
   * in ms.
   */
  longestHold: number;
}

/** The broker of a hub, as this process sees it. */
export interface BrokerStats extends ConnectionStats, QueueStats {
  /** Counter: calls of the broker that have settled. */
  calls: number;
  /** Counters: those of them that rejected, by the code of the error (`unknown` if it is not a TidingsError). */
  callErrors: Record<string, number>;
}
