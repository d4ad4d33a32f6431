import type { HubStats } from '@tidings/core';

/** One value, and the label that it has beside the others of its metric. */
type Reading = readonly [value: number, labels?: Readonly<Record<string, string>>];

/** A metric that is read from `hub.stats()`. */
export interface Signal {
  /** As Prometheus names it. */
  readonly name: string;
  /** As OpenTelemetry names it. */
  readonly otelName: string;
  readonly type: 'gauge' | 'counter';
  /** UCUM, as OpenTelemetry writes it. */
  readonly unit: string;
  readonly help: string;
  readonly read: (stats: HubStats) => readonly Reading[];
}

type Read = (stats: HubStats) => number | undefined | Readonly<Record<string, number | undefined>>;

/**
 * @param label the label of each value, if `read` returns several.
 */
function signal(
  type: Signal['type'],
  name: string,
  otelName: string,
  unit: string,
  help: string,
  read: Read,
  label = 'reason',
): Signal {
  return {
    name: `tidings_${name}`,
    otelName: `tidings.${otelName}`,
    type,
    unit,
    help,
    read(stats) {
      const value = read(stats);
      if (value === undefined) return [];
      if (typeof value === 'number') return [[value]];
      return Object.entries(value).map(([key, count = 0]) => [count, { [label]: key }] as const);
    },
  };
}

const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000);

/** Everything that is read from the stats of a hub. */
export const SIGNALS: readonly Signal[] = [
  signal('gauge', 'streams_open', 'stream.open', '{stream}', 'Open streams.', s => s.streams),
  signal('gauge', 'clients', 'client.count', '{client}', 'Clients that have a stream.', s => s.clients),
  signal('gauge', 'channels', 'channel.count', '{channel}', 'Channels in memory.', s => s.channels),
  signal('gauge', 'history_bytes', 'history.size', 'By', 'Size of all histories.', s => s.historyBytes),
  signal(
    'gauge',
    'streams_lagging',
    'stream.lagging',
    '{stream}',
    'Slow consumers: streams whose client does not keep up.',
    s => s.lagging,
  ),
  signal(
    'gauge',
    'lag_events',
    'lag.events',
    '{event}',
    'Events that slow consumers have yet to receive.',
    s => s.lagEvents,
  ),
  signal(
    'gauge',
    'lag_seconds',
    'lag.age',
    's',
    'Age of the oldest event that a slow consumer has yet to receive.',
    s => seconds(s.lagAge),
  ),
  signal(
    'gauge',
    'buffered_bytes',
    'buffered.size',
    'By',
    'Bytes that are buffered until clients read.',
    s => s.bufferedBytes,
  ),
  signal('counter', 'streams_opened_total', 'stream.opened', '{stream}', 'Opened streams.', s => s.opened),
  signal(
    'counter',
    'streams_closed_total',
    'stream.closed',
    '{stream}',
    'Closed streams, by reason.',
    s => s.closed,
  ),
  signal(
    'counter',
    'streams_refused_total',
    'stream.refused',
    '{stream}',
    'Requests that were turned away, because of a limit or because the hub was closing.',
    s => s.refused,
  ),
  signal(
    'counter',
    'streams_resumed_total',
    'stream.resumed',
    '{stream}',
    'Streams that resumed after the Last-Event-ID of their client.',
    s => s.replayed,
  ),
  signal(
    'counter',
    'streams_lagged_total',
    'stream.lagged',
    '{stream}',
    'How often a client did not keep up.',
    s => s.lagged,
  ),
  signal(
    'counter',
    'events_published_total',
    'event.published',
    '{event}',
    'Events accepted from this process.',
    s => s.published,
  ),
  signal(
    'counter',
    'publish_errors_total',
    'event.rejected',
    '{event}',
    'Events that were not accepted, by the code of the error.',
    s => s.publishErrors,
    'code',
  ),
  signal(
    'counter',
    'events_delivered_total',
    'event.delivered',
    '{event}',
    'Events handed to the transports of streams, markers not counted.',
    s => s.delivered,
  ),
  signal(
    'counter',
    'delivered_bytes_total',
    'delivered.size',
    'By',
    'Bytes handed to the transports of streams.',
    s => s.deliveredBytes,
  ),
  signal(
    'counter',
    'resets_total',
    'reset.count',
    '{event}',
    'Reset events, by reason: clients that cannot receive all that they missed.',
    s => s.resetReasons,
  ),
  signal(
    'counter',
    'events_replayed_total',
    'event.replayed',
    '{event}',
    'Events that reconnected clients received until they had caught up.',
    s => s.replayedEvents,
  ),
  signal(
    'counter',
    'replayed_bytes_total',
    'replayed.size',
    'By',
    'Bytes that reconnected clients received until they had caught up.',
    s => s.replayedBytes,
  ),
  signal(
    'counter',
    'channels_dropped_total',
    'channel.dropped',
    '{channel}',
    'Channels dropped from memory.',
    s => s.dropped,
  ),
  signal(
    'counter',
    'events_evicted_total',
    'event.evicted',
    '{event}',
    'Entries evicted because all histories together were too large.',
    s => s.evicted,
  ),
  signal(
    'gauge',
    'delivery_longest_hold_seconds',
    'delivery.longest_hold',
    's',
    'Longest time that the delivery held the event loop, in the last 30 to 60 seconds.',
    s => seconds(s.delivery.longestHold),
  ),
  signal(
    'gauge',
    'broker_connected',
    'broker.connected',
    '1',
    'Whether the broker is connected: 1 or 0.',
    s => s.broker && Number(s.broker.connected),
  ),
  signal(
    'gauge',
    'broker_lag_seconds',
    'broker.lag',
    's',
    'Time since the broker last confirmed that this process has everything.',
    s => seconds(s.broker?.lag),
  ),
  signal(
    'gauge',
    'broker_arrival_seconds',
    'broker.arrival',
    's',
    'Time from storing an event until it arrived in this process, as measured last.',
    s => seconds(s.broker?.arrival),
  ),
  signal(
    'counter',
    'broker_reconnects_total',
    'broker.reconnects',
    '{connection}',
    'How often the connection to the broker was established again.',
    s => s.broker?.reconnects,
  ),
  signal(
    'counter',
    'broker_call_errors_total',
    'broker.call.errors',
    '{call}',
    'Calls of the broker that failed, by the code of the error.',
    s => s.broker?.callErrors,
    'code',
  ),
  signal(
    'gauge',
    'publish_queue_events',
    'publish_queue.events',
    '{event}',
    'Events that wait to be stored by the broker.',
    s => s.broker?.queued,
  ),
  signal(
    'gauge',
    'publish_queue_bytes',
    'publish_queue.size',
    'By',
    'Bytes that wait to be stored by the broker.',
    s => s.broker?.queuedBytes,
  ),
];
