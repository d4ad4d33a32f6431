import type { ResetReason } from '../protocol/reset.ts';
import type { CloseReason, EventStream } from '../stream/event-stream.ts';

/**
 * Callbacks for what a hub does, as it does it: to count, to log, to export. Each is optional, and cheap enough to leave
 * on. They run in the async context of `createHub()`. What one throws, or rejects with, goes to `onError`.
 */
export interface Observer<Data = unknown> {
  /** A stream was accepted. */
  opened?(stream: EventStream<Data>): void;
  /** The response of a stream that was accepted is over. */
  closed?(stream: EventStream<Data>, reason: CloseReason): void;
  /** A request was turned away: a limit was reached, or the hub was closing. */
  refused?(stream: EventStream<Data>): void;
  /** An event of this process was accepted. */
  published?(channel: string): void;
  /** Events were handed to the transport of one stream, with so many bytes, framing not counted. */
  delivered?(events: number, bytes: number): void;
  /** A client does not keep up: later events wait for it. Called once each time. */
  lagging?(stream: EventStream<Data>): void;
  /** A client receives a `reset` event. */
  reset?(stream: EventStream<Data>, reason: ResetReason, channels: readonly string[]): void;
  /** A client has reconnected, and resumes after the last event it received. */
  replayed?(stream: EventStream<Data>): void;
  /** A channel was dropped from memory: it had no subscribers, and what it retained was too old. */
  dropped?(channel: string): void;
}
