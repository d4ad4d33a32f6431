import type { FilterEvent } from '../delivery/subscriptions/subscribe-options.ts';
import type { AnyChannels, EventOf, NameOf } from '../protocol/channel-events.ts';
import type { StreamRequest } from '../protocol/last-event-id.ts';
import type { EventStream, StreamOptions } from '../stream/event-stream.ts';
import type { Transport } from '../stream/transport.ts';
import type { ControlRequest, ControlResponse } from './access/side-request.ts';
import type { ClientRegistry } from './clients.ts';
import type { CloseOptions } from './closing/close-options.ts';
import type { Channel, PublishArguments } from './hub-channel.ts';
import type { ListenEvent, ListenOptions } from './listening/listen-options.ts';
import type { Listening } from './listening/listeners.ts';
import type { HubStats } from './observability/hub-stats.ts';
import type { Observer } from './observability/observer.ts';
import type { ProcessStats } from './observability/processes.ts';
import type { ChannelOptions } from './options/options.ts';

/**
 * The data of a channel's `snapshot` event. Unknown if the map has no such event: the snapshot may have another name.
 */
type SnapshotOf<Events> = Events extends { snapshot: infer Data } ? Data : unknown;

/**
 * Publishes events to streams, and has a list of all open streams. An application needs one.
 *
 * @typeParam Data the type of `stream.data`.
 */
export interface Hub<Channels = AnyChannels, Data = unknown> {
  /** The streams of this process whose response is not over. */
  readonly streams: ReadonlySet<EventStream<Data>>;
  /** The streams of each client, by {@link StreamOptions.client}. The first access connects to the broker. */
  readonly clients: ClientRegistry<Data>;
  /**
   * Opens a stream on a transport. Adapters call this. It never throws because a client has disconnected.
   *
   * Above `limits.streams`, or when the hub is closing, the client receives a later reconnection time, and the returned
   * stream is closed with the reason `refused`.
   *
   * @throws {TidingsError} `invalid-option`, naming the option.
   */
  open(transport: Transport, request: StreamRequest, options?: StreamOptions<Data>): EventStream<Data>;
  /**
   * Publishes an event to every stream that is subscribed to a channel, and appends it to the channel's history.
   *
   * @returns a promise of the event's id. It resolves when the event is accepted; with a broker, when it is stored.
   *   Never throws. Rejects with a TypeError for data that cannot be sent, and otherwise with a TidingsError:
   *   `invalid-option` (the channel has no name), `invalid-field`, `ended`, `closed`; with a broker also `not-stored`
   *   or `maybe-stored`, after `publishTimeout`. A rejection also goes to `onError`, and does not end the process if it
   *   is not awaited.
   */
  publish<
    Name extends keyof Channels & string,
    Event extends keyof Channels[Name] & string = keyof Channels[Name] & string,
  >(channel: NameOf<Name>, ...event: PublishArguments<Channels[Name], Event>): Promise<string>;
  /**
   * Returns a channel by its name. Each call with the same name returns an equivalent object.
   *
   * @param options the options of the channel from now on, in place of those that `HubOptions.channels` returns. The
   *   hub stores them until it is closed: for an unlimited number of names, use `HubOptions.channels`.
   * @throws {TidingsError} `invalid-option`, naming the option.
   */
  channel<Name extends keyof Channels & string>(
    name: Name,
    options?: ChannelOptions<SnapshotOf<Channels[Name]>>,
  ): Channel<Channels[Name], Name>;
  /**
   * Calls a function with the events of channels, in the order of the hub, each once. The hub awaits the promise of an
   * async listener before the next call. The history of the channel retains the events that are published meanwhile. A
   * listener is not a stream: it does not count in `streams`, `subscriberCount`, `stats()` and limits.
   *
   * If the listener throws or rejects, `onError` is called with the stage `listen`, and the listener continues with the
   * next event.
   *
   * @throws {TidingsError} `invalid-option`: a channel without a name, or an invalid option, by its name; `closed`: the
   *   hub is closed.
   */
  listen<Name extends keyof Channels & string>(
    channels: NameOf<Name> | readonly NameOf<Name>[],
    listener: (event: EventOf<Channels, Name> & ListenEvent) => unknown,
    options?: ListenOptions<EventOf<Channels, Name> & FilterEvent>,
  ): Listening;
  /**
   * Changes the channels of an open stream at the request of a page: see {@link ControlRequest}. Adapters call this.
   * The stream may be in another process. The client of the request must own it, and `authorize` decides which channels
   * it may follow.
   *
   * @returns a promise of the response to send: 204 when the change is stored. Never rejects.
   */
  control(request: ControlRequest): Promise<ControlResponse>;
  /**
   * Connects to the broker, so that the first stream does not wait for it. Idempotent.
   *
   * @returns a promise that resolves when the broker is connected; without a broker, immediately. Rejects with a
   *   TidingsError: `broker`, with the `cause`, after `publishTimeout` (the hub keeps trying); `closed` if the hub is
   *   closed.
   */
  ready(): Promise<void>;
  /** The names of the channels that are in memory in this process: they have subscribers, or retain events. */
  channelNames(): string[];
  /** Counts of this process. Takes time proportional to the number of open streams. */
  stats(): HubStats;
  /**
   * Adds an observer, beside `HubOptions.observer`. Its callbacks run in the async context of this call. Streams that
   * are open already are measured from now on.
   *
   * @returns a function that removes the observer. Idempotent.
   * @throws {TidingsError} `invalid-option`, naming the callback.
   */
  observe(observer: Observer): () => void;
  /**
   * Calls a function with the stats of every process of the hub, including this one: immediately, and then about every
   * 5 s. With a broker, one control message asks all processes, and each publishes one response once it is connected to
   * the broker. The end of a process is not reported: its stats stop.
   *
   * @param listener receives the stats of one process. If it throws, `onError` is called with the stage `listen`.
   * @returns a function that ends the observation. Idempotent.
   * @throws {TidingsError} `closed`: the hub is closed.
   */
  observeProcesses(listener: (process: ProcessStats) => void): () => void;
  /**
   * Returns the id of the newest event of all processes. Read it, then load what a page shows, then connect with
   * `?lastEventId=`: no event is missing in between.
   *
   * @returns a promise that rejects with a TidingsError `broker` if the broker does not respond within
   *   `publishTimeout`.
   */
  position(): Promise<string>;
  /**
   * Ends every stream and refuses new ones. Stop listening first: `server.close()`, then `await hub.close()`.
   *
   * @returns a promise that resolves when every response is over and the broker is closed. Idempotent: a second call
   *   returns the same promise.
   * @throws {TidingsError} `invalid-option`, naming the option.
   */
  close(options?: CloseOptions): Promise<void>;
}
