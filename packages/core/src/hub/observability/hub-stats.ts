import type { ConnectionStats } from '../../log/broker/broker-health.ts';
import type { QueueStats } from '../../log/broker/publish-queue.ts';
import type { ResetReason } from '../../protocol/reset.ts';
import type { CloseReason } from '../../stream/event-stream.ts';

/**
 * What a hub holds now, and what it has done since it was created. In this process only. A gauge goes up and down; a
 * counter only goes up.
 */
export interface HubStats {
  /** Gauge: open streams. */
  streams: number;
  /** Gauge: clients that have a stream. */
  clients: number;
  /** Gauge: channels in memory. They have subscribers, or retain events. */
  channels: number;
  /** Gauge, bytes, about: of all histories. */
  historyBytes: number;
  /** Gauge: slow consumers, streams whose client does not keep up. */
  lagging: number;
  /** Gauge: events of channels that slow consumers have yet to receive, all together, before filters. */
  lagEvents: number;
  /** Gauge, ms, to within the precision of the hub's clock (about 500 ms): the age of the oldest of these events. */
  lagAge: number;
  /** Gauge, bytes: buffered in this process until clients read. */
  bufferedBytes: number;
  /** Counter: streams that were opened. */
  opened: number;
  /** Counters: of these, how many have closed, by reason. */
  closed: Partial<Record<CloseReason, number>>;
  /** Counter: requests that were turned away, because of a limit or because the hub was closing. */
  refused: number;
  /** Counter: events accepted from this process. */
  published: number;
  /** Counters: events that were not accepted, by the code of the error (`unknown` if it is no TidingsError). */
  publishErrors: Record<string, number>;
  /** Counter: events handed to transports, one for each stream. `reset` events are counted, markers are not. */
  delivered: number;
  /** Counter, bytes: handed to transports, framing not counted. */
  deliveredBytes: number;
  /** Counter: how often a client did not keep up. */
  lagged: number;
  /** Counter: `reset` events. */
  resets: number;
  /** Counters: of these, how many by reason. */
  resetReasons: Partial<Record<ResetReason, number>>;
  /** Counter: streams that resumed after their client's Last-Event-ID. */
  replayed: number;
  /** Counter: events that clients with a Last-Event-ID received until they had caught up. */
  replayedEvents: number;
  /** Counter, bytes: of these events. */
  replayedBytes: number;
  /** Counter: channels dropped from memory. */
  dropped: number;
  /** Counter: entries evicted from histories because all of them together were too large. Who lacks one gets a reset. */
  evicted: number;
  /** The calls of `authorize`. */
  authorize: AuthorizeStats;
  /** The delivery of what is published. */
  delivery: DeliveryStats;
  /** The connection to the broker; undefined without a broker. */
  broker: BrokerStats | undefined;
}

/** What the calls of `authorize` have decided. One call for each channel of a stream, and one for each recheck. */
export interface AuthorizeStats {
  /** Counter: channels that were allowed. */
  allowed: number;
  /** Counter: channels that were refused. */
  refused: number;
  /** Counter: channels that were refused because `authorize` has failed, or has not answered in time. */
  failed: number;
  /** Counter, ms: how long all of these calls took. */
  duration: number;
}

/** How long deliveries take. */
export interface DeliveryStats {
  /** Counter: rounds. In each, the events published before it are delivered to every stream that keeps up. */
  rounds: number;
  /** Counter, ms: how long all rounds took, from begin to end. */
  duration: number;
  /** Gauge, ms: the longest that the delivery has held the event loop at a stretch, in the last 30 to 60 seconds. */
  longestHold: number;
}

/** The broker of a hub, as this process sees it. */
export interface BrokerStats extends ConnectionStats, QueueStats {
  /** Counter: calls of the broker that have settled. */
  calls: number;
  /** Counters: of these, how many were rejected, by the code of the error (`unknown` if it is no TidingsError). */
  callErrors: Record<string, number>;
}
