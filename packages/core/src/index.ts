export type { ChannelName } from './channel-name.ts';
export { TidingsError, type TidingsErrorCode } from './errors.ts';
export { type EventFields, encodeEvent, type ServerSentEvent } from './event.ts';
export type { Frame } from './frame.ts';
export type { ClientRegistry } from './hub/clients.ts';
export { createHub, type Hub } from './hub/hub.ts';
export type {
  AnyChannels,
  Channel,
  PublishArguments,
  PublishFields,
} from './hub/hub-channel.ts';
export type { HubStats, Observer } from './hub/meter.ts';
export type { ChannelOptions, CloseOptions, HistoryOptions, HubOptions, Limits } from './hub/options.ts';
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
} from './log/broker.ts';
export type { Entry } from './log/entry.ts';
export type { Keep } from './log/history.ts';
export type { Position } from './log/position.ts';
export type { StreamRequest } from './stream/request.ts';
export type { Source, SourceInput, SourceItem, SourceOptions } from './stream/source.ts';
export type {
  CloseReason,
  ErrorContext,
  EventStream,
  StreamHeaders,
  StreamOptions,
} from './stream/stream.ts';
export type { Reset, ResetReason } from './subscriber/reset.ts';
export type { FilterEvent, From, SubscribeOptions } from './subscriber/subscribe-options.ts';
export type { Transport } from './transport.ts';
