import type { EventStream } from '../stream/event-stream.ts';

/**
 * What is published where, for `createHub<Channels>()`: by channel, by event, the type of the data. `message` is the
 * event without a name. Channels that are made as they are needed have a pattern for a key: `[user: `user:${string}`]`.
 */
export type AnyChannels = Record<string, Record<string, unknown>>;

/**
 * What `publish` takes for a channel with these events: the data, and the fields that go with it.
 *
 * @typeParam Event the name of the event; of several, the data has to fit whichever it turns out to be.
 */
export type PublishArguments<Events, Event extends keyof Events & string = keyof Events & string> =
  | { [Name in Event]: [data: Events[Name], fields: PublishFields & { event: Name }] }[Event]
  | [data: DataOfAny<Events, Event>, fields: PublishFields & { event: Event }]
  | Unnamed<Events>
  | [data: null, fields: PublishFields & { event?: undefined; key: string; gone: true }];

/** Nobody knows which of these it is going to be. */
type DataOfAny<Events, Event extends keyof Events> = (
  Event extends unknown
    ? (data: Events[Event]) => void
    : never
) extends (data: infer Data) => void
  ? Data
  : never;

/** Where any name will do, none will, too; else it is `message`, of each channel that it may be. */
type Unnamed<Events> = string extends keyof Events
  ? [data: Events[keyof Events], fields?: PublishFields | undefined]
  : [Events] extends [{ message: unknown }]
    ? [data: MessageOfAll<Events>, fields?: (PublishFields & { event?: 'message' | undefined }) | undefined]
    : never;

type MessageOfAll<Events> = (Events extends { message: infer Data } ? (data: Data) => void : never) extends (
  data: infer Data,
) => void
  ? Data
  : never;

/** A channel of a hub: a name for a sequence of events. It holds nothing; it may come and go. */
export interface Channel<Events = Record<string, unknown>, Name extends string = string> {
  readonly name: Name;
  /** How many streams are subscribed to it in this process. */
  readonly subscriberCount: number;
  /** {@link Hub.publish}, to this channel. */
  publish<Event extends keyof Events & string = keyof Events & string>(
    ...event: PublishArguments<Events, Event>
  ): Promise<string>;
  /**
   * Ends the channel: nothing more can be published to it. A stream whose channels have all ended closes once it has
   * received everything, and its client is told not to reconnect (204). Idempotent. The end is known for as long as the
   * channel is: while it has subscribers, and as long as its history reaches back.
   *
   * @returns the id of the end. Rejects as `publish` does.
   */
  end(): Promise<string>;
  /**
   * Uses an ended channel again, under the same name. What it retained is dropped. A client that received the end
   * continues; one that had not received everything gets a `reset` with the reason `history`. On a channel that has not
   * ended it does nothing.
   *
   * @returns the id after which the channel begins again. Rejects as `publish` does.
   */
  begin(): Promise<string>;
  /**
   * Whether the channel is open or has ended; `unknown` if nothing was published to it, or so long ago that it is
   * forgotten.
   *
   * @returns rejects with a TidingsError `broker` when the broker cannot be reached within `publishTimeout`.
   */
  state(): Promise<'unknown' | 'open' | 'ended'>;
}

export interface PublishFields {
  /** The name of the event. Default: none, which is `message` at the client. */
  event?: string | undefined;
  /**
   * In a compacted channel: what it is the newest event of. Default: its name, or '' if it has none. It is not sent: what
   * the client has to know of it belongs in the data.
   */
  key?: string | undefined;
  /**
   * In a compacted channel: the key is gone, and so is what was kept of it. The event is sent, so that clients see it
   * go; say with its `event` and its data what went.
   */
  gone?: boolean | undefined;
  /** Everyone but this stream, or this client: a stream, its id, or a client. */
  except?: EventStream | string | undefined;
}
