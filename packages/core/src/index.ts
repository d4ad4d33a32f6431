export { TidingsError, type TidingsErrorCode } from './base/errors.ts';
export type { FanOut, FanOutTarget } from './delivery/fan-out.ts';
export type { Replay } from './delivery/replay.ts';
export type { AccessPhase } from './delivery/subscriptions/channel-access.ts';
export type { FilterEvent, From, SubscribeOptions } from './delivery/subscriptions/subscribe-options.ts';
export type { Authorize, AuthorizeCall, AuthorizeContext } from './hub/access/authorizer.ts';
export type { ControlRequest, ControlResponse } from './hub/access/side-request.ts';
export type { ClientRegistry, Who } from './hub/clients.ts';
export type { CloseOptions } from './hub/closing/close-options.ts';
export { createHub } from './hub/create-hub.ts';
export type { Hub } from './hub/hub.ts';
export type {
  Channel,
  PublishArguments,
  PublishFields,
} from './hub/hub-channel.ts';
export type { ListenEvent, ListenOptions } from './hub/listening/listen-options.ts';
export type { Listening } from './hub/listening/listeners.ts';
export type { ChannelStats } from './hub/observability/channel-stats.ts';
export type { AuthorizeStats, BrokerStats, DeliveryStats, HubStats } from './hub/observability/hub-stats.ts';
export type { Observer } from './hub/observability/observer.ts';
export type { ProcessStats } from './hub/observability/processes.ts';
export type {
  ChannelOptions,
  CompressionOptions,
  HistoryOptions,
  HubOptions,
  Limits,
} from './hub/options/options.ts';
export type { Presence, PresenceOptions } from './hub/presence/presence-options.ts';
export type { ProducerOptions } from './hub/producing/producer-options.ts';
export type {
  Broker,
  ChannelState,
  Draft,
  LeaseChange,
  LogHead,
  Opened,
  Page,
  Published,
  ReadFrom,
  Sink,
} from './log/broker/broker.ts';
export type { ConnectionStats } from './log/broker/broker-health.ts';
export type { QueueStats } from './log/broker/publish-queue.ts';
export type { BrokerCall } from './log/broker/timed-broker.ts';
export type { Entry } from './log/entry.ts';
export type { Keep } from './log/keep.ts';
export type {
  AnyChannels,
  EventOf,
  NameOf,
  Received,
  Register,
  RegisteredChannels,
} from './protocol/channel-events.ts';
export type { ChannelName } from './protocol/channel-name.ts';
export { type EventFields, encodeEvent, type ServerSentEvent } from './protocol/event.ts';
export type { Position } from './protocol/event-id.ts';
export type { Frame } from './protocol/frame.ts';
export type { StreamRequest } from './protocol/last-event-id.ts';
export type { Reset, ResetReason } from './protocol/reset.ts';
export type {
  CloseReason,
  ErrorContext,
  EventStream,
  StreamHeaders,
  StreamOptions,
} from './stream/event-stream.ts';
export type { HeartbeatOptions } from './stream/heartbeat.ts';
export type { Observable } from './stream/sending/observable.ts';
export type { Source, SourceInput, SourceItem, SourceOptions } from './stream/sending/source-options.ts';
export type { StreamSummary } from './stream/stats/stream-meter.ts';
export type { StreamStats } from './stream/stats/stream-stats.ts';
export type { Transport, TransportListener } from './stream/transport.ts';
