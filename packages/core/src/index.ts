export type { Broker, Draft, Opened, Page, Reach, Sink } from './broker.ts';
export type { ClientRegistry } from './clients.ts';
export type { Entry } from './entry.ts';
export { TidingsError, type TidingsErrorCode } from './errors.ts';
export { type EventFields, encodeEvent, type ServerSentEvent } from './event.ts';
export type { Frame } from './frame.ts';
export type { Keep } from './history.ts';
export { createHub, type Hub } from './hub.ts';
export type {
  AnyChannels,
  Channel,
  ChannelName,
  PublishArguments,
  PublishFields,
} from './hub-channel.ts';
export type { HubStats, Observer } from './meter.ts';
export type { ChannelOptions, CloseOptions, HistoryOptions, HubOptions, Limits } from './options.ts';
export type { Position } from './position.ts';
export type { StreamRequest } from './request.ts';
export type { Reset, ResetReason } from './reset.ts';
export type { Source, SourceInput, SourceItem, SourceOptions } from './source.ts';
export type { CloseReason, ErrorContext, EventStream, StreamHeaders, StreamOptions } from './stream.ts';
export type { FilterEvent, From, SubscribeOptions } from './subscribe-options.ts';
export type { Transport } from './transport.ts';
