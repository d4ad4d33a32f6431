import type { Replay } from '../../delivery/replay.ts';
import type { BrokerCall } from '../../log/broker/timed-broker.ts';
import type { ResetReason } from '../../protocol/reset.ts';
import type { CloseReason, EventStream } from '../../stream/event-stream.ts';
import type { StreamSummary } from '../../stream/stats/stream-meter.ts';
import type { AuthorizeCall } from '../access/authorizer.ts';

/**
 * Callbacks that a hub calls when something happens, for counters, logs and exporters. Each is optional, and cheap
 * enough for production. `opened` and `refused` run in the async context of the request, so that a tracer finds its
 * span. All others run in that of `createHub()` or `hub.observe()`. If a callback throws or rejects, `onError` is
 * called.
 */
export interface Observer<Data = unknown> {
  /** A stream was accepted. */
  opened?(stream: EventStream<Data>): void;
  /** The response headers of an accepted stream were sent. `ms`: time since it was opened. */
  headersSent?(stream: EventStream<Data>, status: number, ms: number): void;
  /**
   * A stream with subscriptions has caught up with its channels, or closed before that. Called once when a stream
   * begins, and again when it begins again because the broker's log has a new epoch.
   */
  caughtUp?(stream: EventStream<Data>, replay: Replay): void;
  /** The response of an accepted stream is over. */
  closed?(stream: EventStream<Data>, reason: CloseReason, summary: StreamSummary): void;
  /** A request was refused: a limit was reached, or the hub was closing. */
  refused?(stream: EventStream<Data>): void;
  /** An event of this process was accepted. */
  published?(channel: string): void;
  /**
   * Events were passed to the transport of one stream. `bytes` does not include framing. Called for every write: for
   * counts, read {@link Hub.stats} instead.
   */
  delivered?(events: number, bytes: number): void;
  /** A stream became a slow consumer: its client reads too slowly. Called once each time. */
  lagging?(stream: EventStream<Data>): void;
  /** A client is sent a `reset` event. */
  reset?(stream: EventStream<Data>, reason: ResetReason, channels: readonly string[]): void;
  /** A client has reconnected, and resumes after its Last-Event-ID. */
  replayed?(stream: EventStream<Data>): void;
  /** A channel was dropped from memory: it had no subscribers, and the events that it retained had expired. */
  dropped?(channel: string): void;
  /** A delivery has blocked the event loop for `ms`, and has delivered to `streams` streams. */
  held?(ms: number, streams: number): void;
  /**
   * A round is over: the events that were published before it were delivered to every stream that is not a slow
   * consumer. `ms`: duration of the round. A large round takes several iterations of the event loop.
   */
  round?(ms: number, streams: number): void;
  /** A call of `authorize` has settled. */
  authorizeCalled?(stream: EventStream<Data>, call: AuthorizeCall): void;
  /** A call of the broker has settled. */
  brokerCalled?(call: BrokerCall): void;
  /** `hub.close()` was called. Its streams are still open. */
  closing?(): void;
}

/** The names of all callbacks. */
export const CALLBACKS = [
  'opened',
  'headersSent',
  'caughtUp',
  'closed',
  'refused',
  'published',
  'delivered',
  'lagging',
  'reset',
  'replayed',
  'dropped',
  'held',
  'round',
  'authorizeCalled',
  'brokerCalled',
  'closing',
] as const satisfies readonly (keyof Observer)[];
