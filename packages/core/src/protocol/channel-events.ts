import type { Parsed, SentAsText } from './parsed.ts';

/**
 * The type of the map for `createHub<Channels>()`: channel → event → data. `message` is the event without a name. For
 * channels whose names are not known in advance, use a pattern as the key: `[user: `user:${string}`]`.
 */
export type AnyChannels = Record<string, Record<string, unknown>>;

/**
 * The channel types of an application, for code without a typed hub: `stream.subscribe()` of every adapter, and
 * `createHub()` without a type argument. Declare them once:
 *
 * ```ts
 * declare module '@tidings/core' {
 *   interface Register { channels: Channels }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications add to it.
export interface Register {}

/** The channels of {@link Register}. If it has none, any channels. */
export type RegisteredChannels = Register extends { channels: infer Channels } ? Channels : AnyChannels;

/** A channel with a name of this type, or the name. */
export type NameOf<Name extends string> = Name | { readonly name: Name };

/** Data as server code receives it: text stays text, any other value is parsed from JSON. */
export type Received<T> = T extends SentAsText ? string : Parsed<T>;

type Named<Event extends string> = string extends Event
  ? string | undefined
  : Event extends 'message'
    ? 'message' | undefined
    : Event;

/** An event of one of several channels. The names of the channel and of the event determine the type of its data. */
export type EventOf<Channels, Name extends keyof Channels> = {
  [Each in Name]: {
    [Event in keyof Channels[Each] & string]: {
      readonly channel: Each;
      /** The name of the event; undefined if it has none. */
      readonly event: Named<Event>;
      readonly data: Received<Channels[Each][Event]>;
    };
  }[keyof Channels[Each] & string];
}[Name];
