import type { Replay } from '../../delivery/replay.ts';
import type { BrokerCall } from '../../log/broker/timed-broker.ts';
import type { ResetReason } from '../../protocol/reset.ts';
import type { CloseReason, EventStream } from '../../stream/event-stream.ts';
import type { StreamSummary } from '../../stream/stats/stream-meter.ts';
import type { AuthorizeCall } from '../access/authorizer.ts';

/**
 * Callbacks for what a hub does, as it does it: to count, to log, to export. Each is optional, and cheap enough to leave
 * on. `opened` and `refused` run in the async context of the request, so that a tracer finds its span; all others in that
 * of `createHub()` or `hub.observe()`. What one throws, or rejects with, goes to `onError`.
 */
export interface Observer<Data = unknown> {
  /** A stream was accepted. */
  opened?(stream: EventStream<Data>): void;
  /** The headers of a stream that was accepted were sent, with this status, so many ms after it was opened. */
  headersSent?(stream: EventStream<Data>, status: number, ms: number): void;
  /**
   * A stream with subscriptions has received what was retained for it, and has caught up; or it closed before. Called
   * once for each time that a stream begins: it does so again when the broker's log has a new epoch.
   */
  caughtUp?(stream: EventStream<Data>, replay: Replay): void;
  /** The response of a stream that was accepted is over. */
  closed?(stream: EventStream<Data>, reason: CloseReason, summary: StreamSummary): void;
  /** A request was turned away: a limit was reached, or the hub was closing. */
  refused?(stream: EventStream<Data>): void;
  /** An event of this process was accepted. */
  published?(channel: string): void;
  /**
   * Events were handed to the transport of one stream, with so many bytes, framing not counted. Called for every write:
   * for counts, read {@link Hub.stats} instead.
   */
  delivered?(events: number, bytes: number): void;
  /** A client does not keep up: later events wait for it. Called once each time. */
  lagging?(stream: EventStream<Data>): void;
  /** A client receives a `reset` event. */
  reset?(stream: EventStream<Data>, reason: ResetReason, channels: readonly string[]): void;
  /** A client has reconnected, and resumes after the last event it received. */
  replayed?(stream: EventStream<Data>): void;
  /** A channel was dropped from memory: it had no subscribers, and what it retained was too old. */
  dropped?(channel: string): void;
  /** The delivery has held the event loop for so many ms, and has delivered to so many streams. */
  held?(ms: number, streams: number): void;
  /**
   * A round is over: what was published before it has been delivered to every stream that keeps up, so many ms after the
   * round began. A large round takes several turns of the event loop.
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
