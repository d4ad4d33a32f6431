import type {
  Channel,
  ChannelOptions,
  EventStream,
  Hub,
  HubOptions,
  HubStats,
  SubscribeOptions,
} from '@tidings/core';

// The public names of issue 16 that core does not have yet. Delete this module when it has them.

export type NextFrom = SubscribeOptions['from'] | 'state' | { since: string };

interface NextSubscribeOptions extends Omit<SubscribeOptions, 'from'> {
  from?: NextFrom;
}

export interface NextStream extends Omit<EventStream, 'subscribe'> {
  subscribe(channels: string | readonly string[], options?: NextSubscribeOptions): this;
}

export interface NextHubOptions extends HubOptions {
  /** Bytes that a stream may buffer; with more it closes as `slow` at once. Default: 16 MiB. */
  bufferedBytesLimit?: number;
}

interface NextChannel extends Channel {
  /** Begins an ended channel again. Resolves with an id; of an open channel, with that of its newest entry. */
  begin(): Promise<string>;
  state(): Promise<'unknown' | 'open' | 'ended'>;
}

export interface NextHub extends Omit<Hub, 'channel' | 'stats'> {
  channel(name: string, options?: ChannelOptions): NextChannel;
  stats(): HubStats & { refused: number };
}

/** The same hub, or stream, with the types of what it is going to have. */
export function next(value: Hub): NextHub;
export function next(value: EventStream): NextStream;
export function next(value: Hub | EventStream): NextHub | NextStream {
  return value as unknown as NextHub | NextStream;
}
