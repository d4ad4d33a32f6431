import type { EventStream } from '../stream/event-stream.ts';
import type { SourceInput } from '../stream/sending/source-options.ts';
import type { ChannelStats } from './observability/channel-stats.ts';
import type { ProducerOptions } from './producing/producer-options.ts';

/**
 * The arguments of `publish` for a channel with these events: the data, and its fields.
 *
 * @typeParam Event the name of the event. If it is a union, the data has to fit every name in it.
 */
export type PublishArguments<Events, Event extends keyof Events & string = keyof Events & string> =
  | { [Name in Event]: [data: Events[Name], fields: PublishFields & { event: Name }] }[Event]
  | [data: DataOfAny<Events, Event>, fields: PublishFields & { event: Event }]
  | Unnamed<Events>
  | [data: null, fields: PublishFields & { event?: undefined; key: string; gone: true }];

/** Data that fits every event of a union. */
type DataOfAny<Events, Event extends keyof Events> = (
  Event extends unknown
    ? (data: Events[Event]) => void
    : never
) extends (data: infer Data) => void
  ? Data
  : never;

/** The arguments without a name: any data if the channel has any events, else that of `message`. */
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

/** A channel of a hub, by its name. The object holds no events and needs no clean-up. */
export interface Channel<Events = Record<string, unknown>, Name extends string = string> {
  readonly name: Name;
  /** How many streams are subscribed to it in this process. */
  readonly subscriberCount: number;
  /** Publishes an event to this channel. See {@link Hub.publish}. */
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
  /**
   * Publishes each item of a source, one after the other: the next is taken when the broker has stored the last. While
   * the broker cannot be reached, the source waits. Then ends the channel, however the source has ended, so that no page
   * waits for more.
   *
   * The source is cancelled when `signal` is aborted, by `stop()` in any process, and by `hub.close()`, which waits for
   * the last item and the end.
   *
   * @returns true when every item was published and, unless `end` is false, the channel has ended. Never rejects: when
   *   the source fails, `onError` is called with the stage `source`; when an item cannot be stored, with `publish`.
   * @throws {TidingsError} `invalid-option`, naming the option.
   */
  from<T>(
    source: SourceInput<T>,
    options?: ProducerOptions<T, keyof Events & string, Events[keyof Events]>,
  ): Promise<boolean>;
  /**
   * Cancels the sources of all `from()` calls for this channel that have begun, in every process. It does not wait for
   * them.
   *
   * @returns resolves when the message to the other processes is stored; rejects when the broker cannot store it.
   */
  stop(): Promise<void>;
  /**
   * What the channel holds now in this process, and what was published to it since the first call for this channel,
   * which begins to count. Two numbers for each name are stored for as long as the hub lives.
   */
  stats(): ChannelStats;
}

/** The fields of a published event, beside its data. */
export interface PublishFields {
  /** The name of the event. Default: none, which is `message` at the client. */
  event?: string | undefined;
  /**
   * The key for compaction: a compacted channel retains the newest event of each key. Default: the event's name, or ''
   * if it has none. The key is not sent to clients.
   */
  key?: string | undefined;
  /**
   * Deletes the key: the event is a tombstone. It is sent to clients; put into its name or its data what was deleted.
   * Later it is trimmed, and the key is unknown. For compacted channels. Default: false.
   */
  gone?: boolean | undefined;
  /** A stream, the id of a stream, or a client that does not receive the event. Default: none. */
  except?: EventStream | string | undefined;
}
