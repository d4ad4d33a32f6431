import type { EventStream } from '../stream/event-stream.ts';
import type { SourceInput } from '../stream/sending/source-options.ts';
import type { ChannelStats } from './observability/channel-stats.ts';
import type { ProducerOptions } from './producing/producer-options.ts';

/**
 * The arguments of `publish` for a channel with these events: the data and the fields of the event.
 *
 * @typeParam Event the name of the event. If it is a union, the data must fit every name in it.
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

/** The arguments for an event without a name: the data of `message`, or any data if the events are not typed. */
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
  /** Number of streams in this process that are subscribed to the channel. */
  readonly subscriberCount: number;
  /** Publishes an event to this channel. See {@link Hub.publish}. */
  publish<Event extends keyof Events & string = keyof Events & string>(
    ...event: PublishArguments<Events, Event>
  ): Promise<string>;
  /**
   * Ends the channel: `publish` rejects from then on. A stream whose channels have all ended closes once it has
   * received their events. If its client reconnects, it receives status 204 and stops. Idempotent. The hub remembers
   * the end while the channel has subscribers, and for as long as its history reaches back.
   *
   * @returns a promise of the id of the end. Rejects as `publish` does.
   */
  end(): Promise<string>;
  /**
   * Reopens an ended channel. The events that it retained are dropped. A client that had received all of them
   * continues; any other client receives a `reset` with the reason `history`. On a channel that has not ended it does
   * nothing.
   *
   * @returns a promise of the id after which the channel begins again. Rejects as `publish` does.
   */
  begin(): Promise<string>;
  /**
   * Returns whether the channel is open or has ended; `unknown` if nothing was published to it, or so long ago that its
   * record was deleted.
   *
   * @returns a promise that rejects with a TidingsError `broker` if the broker does not respond within
   *   `publishTimeout`.
   */
  state(): Promise<'unknown' | 'open' | 'ended'>;
  /**
   * Publishes each item of a source, one after the other, and then ends the channel. It reads the next item when the
   * broker has stored the last one, and waits while the broker cannot be reached. The channel also ends if the source
   * fails or is cancelled, so that no page waits for more.
   *
   * The source is cancelled when `signal` is aborted, by `stop()` in any process, and by `hub.close()`, which waits
   * until the last item and the end are stored.
   *
   * @returns a promise of true if every item was published and, unless `end` is false, the channel has ended. Never
   *   rejects: if the source fails, `onError` is called with the stage `source`; if an item cannot be stored, with
   *   `publish`.
   * @throws {TidingsError} `invalid-option`, naming the option.
   */
  from<T>(
    source: SourceInput<T>,
    options?: ProducerOptions<T, keyof Events & string, Events[keyof Events]>,
  ): Promise<boolean>;
  /**
   * Cancels the sources of all running `from()` calls for this channel, in every process. It does not wait for them.
   *
   * @returns a promise that resolves when the message to the other processes is stored, and rejects if the broker
   *   cannot store it.
   */
  stop(): Promise<void>;
  /**
   * Returns the current stats of the channel in this process. The first call for a channel starts its counters. The hub
   * stores two numbers for each name until it is closed.
   */
  stats(): ChannelStats;
}

/** The fields of a published event in addition to its data. */
export interface PublishFields {
  /** The name of the event. Default: none, which is `message` at the client. */
  event?: string | undefined;
  /**
   * The key for compaction: a compacted channel retains the newest event of each key. Default: the event's name, or ''
   * if it has none. The key is not sent to clients.
   */
  key?: string | undefined;
  /**
   * Makes the event a tombstone, which deletes its key. The hub sends it to clients, so put the deleted key into its
   * name or its data. The tombstone is trimmed later. For compacted channels. Default: false.
   */
  gone?: boolean | undefined;
  /** A stream, the id of a stream, or a client. These streams do not receive the event. Default: none. */
  except?: EventStream | string | undefined;
}
