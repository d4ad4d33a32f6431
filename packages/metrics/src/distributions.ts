/** A metric that is measured when something happens. */
export interface Distribution {
  /** As Prometheus names it. */
  readonly name: string;
  /** As OpenTelemetry names it. */
  readonly otelName: string;
  /** UCUM, as OpenTelemetry writes it. */
  readonly unit: string;
  readonly help: string;
  /** Upper bounds of the buckets, ascending. */
  readonly buckets: readonly number[];
}

const LATENCIES = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const HOLDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1];
const LIFETIMES = [1, 10, 60, 300, 900, 3_600, 14_400, 86_400];
const COUNTS = [0, 1, 10, 100, 1_000, 10_000, 100_000];
const SIZES = [1_024, 16_384, 262_144, 1_048_576, 16_777_216, 268_435_456];

function distribution(
  name: string,
  otelName: string,
  unit: string,
  help: string,
  buckets: readonly number[],
): Distribution {
  return { name: `tidings_${name}`, otelName: `tidings.${otelName}`, unit, help, buckets };
}

/** All metrics that are measured by an observer. See measure.ts for their labels. */
export const DISTRIBUTIONS = {
  streamDuration: distribution(
    'stream_duration_seconds',
    'stream.duration',
    's',
    'Time that streams were open, by close reason.',
    LIFETIMES,
  ),
  headersAfter: distribution(
    'stream_headers_seconds',
    'stream.headers.duration',
    's',
    'Time from the opening of a stream until its response headers were sent.',
    LATENCIES,
  ),
  firstEventAfter: distribution(
    'stream_first_event_seconds',
    'stream.first_event.duration',
    's',
    'Time from the opening of a stream until its first event was sent.',
    [...LATENCIES, 60, 600],
  ),
  streamEvents: distribution('stream_events', 'stream.events', '{event}', 'Events of each stream.', COUNTS),
  streamBytes: distribution('stream_bytes', 'stream.size', 'By', 'Bytes of each stream.', SIZES),
  maxBufferedBytes: distribution(
    'stream_max_buffered_bytes',
    'stream.max_buffered.size',
    'By',
    'Maximum number of bytes that were buffered for each stream.',
    SIZES,
  ),
  replayEvents: distribution(
    'replay_events',
    'replay.events',
    '{event}',
    'Events sent to a stream until it had caught up, by outcome: resumed, reset or new.',
    COUNTS,
  ),
  replayBytes: distribution(
    'replay_bytes',
    'replay.size',
    'By',
    'Bytes sent to a stream until it had caught up, by outcome.',
    SIZES,
  ),
  replayDuration: distribution(
    'replay_seconds',
    'replay.duration',
    's',
    'Time until a stream had caught up, by outcome.',
    LATENCIES,
  ),
  round: distribution(
    'delivery_round_seconds',
    'delivery.round.duration',
    's',
    'Time to deliver published events to all live streams.',
    LATENCIES,
  ),
  hold: distribution(
    'delivery_hold_seconds',
    'delivery.hold.duration',
    's',
    'Time for which a delivery blocked the event loop without a pause.',
    HOLDS,
  ),
  authorizeCall: distribution(
    'authorize_seconds',
    'authorize.duration',
    's',
    'Duration of authorize calls, by outcome: allowed, refused or failed.',
    LATENCIES,
  ),
  brokerCall: distribution(
    'broker_call_seconds',
    'broker.call.duration',
    's',
    'Duration of calls to the broker, by call.',
    LATENCIES,
  ),
} as const satisfies Record<string, Distribution>;

export type DistributionName = keyof typeof DISTRIBUTIONS;

export type Labels = Readonly<Record<string, string>>;

/** Records one measurement. */
export type Recorder = (name: DistributionName, value: number, labels?: Labels) => void;
