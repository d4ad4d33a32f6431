export type { EventsOf, Reset, ResetReason } from '@tidings/core/client';
export { connect } from './connect.ts';
export type { RetryOptions } from './connection/backoff.ts';
export type {
  AnyChannels,
  AnyEvent,
  EventNamed,
  Events,
  ReceivedEvent,
  Revoked,
  State,
} from './events.ts';
export type { ConnectOptions, PerAttempt, PositionStorage, RequestContext } from './options.ts';
