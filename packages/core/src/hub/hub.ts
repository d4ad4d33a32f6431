import type { StreamRequest } from '../protocol/last-event-id.ts';
import type { EventStream, StreamOptions } from '../stream/event-stream.ts';
import type { Transport } from '../stream/transport.ts';
import type { ClientRegistry } from './clients.ts';
import type { HubStats } from './counters.ts';
import type { AnyChannels, Channel, PublishArguments } from './hub-channel.ts';
import type { ChannelOptions, CloseOptions } from './options.ts';

/** Knows every open stream of an application; one per app. */
export interface Hub<Channels = AnyChannels> {
  /** Every stream whose response is not over. */
  readonly streams: ReadonlySet<EventStream>;
  /** The streams of each client. */
  readonly clients: ClientRegistry;
  /**
   * Answers a request with a stream: what adapters call. Never throws because a peer has left.
   *
   * Over `limits.streams`, or when the hub is closing, the client is told to come back later, and the stream
   * returned has closed as `refused`.
   *
   * @throws {TidingsError} `invalid-option`, naming the option.
   */
  open(transport: Transport, request: StreamRequest, options?: StreamOptions): EventStream;
  /**
   * Sends an event to every stream that is subscribed to a channel, and keeps it in the channel's history.
   *
   * @returns the event's id, once it is accepted. Rejects, and never throws, when it cannot be: with a TypeError for
   *   data that cannot be sent, else with a TidingsError: `invalid-field`, `ended`, `closed`. A rejection goes to
   *   `onError`, too, and ends no process if nobody awaits it.
   */
  publish<
    Name extends keyof Channels & string,
    Event extends keyof Channels[Name] & string = keyof Channels[Name] & string,
  >(
    channel: Name | { readonly name: Name },
    ...event: PublishArguments<Channels[Name], Event>
  ): Promise<string>;
  /**
   * A handle of a channel. It need not be kept: the name is enough to find the same channel again.
   *
   * @param options of this channel from now on, in the place of what `HubOptions.channels` says. Kept for good: for
   *   channels without end, say it there.
   * @throws {TidingsError} `invalid-option`, naming the option.
   */
  channel<Name extends keyof Channels & string>(
    name: Name,
    options?: ChannelOptions,
  ): Channel<Channels[Name], Name>;
  /** What the hub holds and has done, on this node. Takes a look at every stream. */
  stats(): HubStats;
  /** Where the hub stands: read it, then load what a page shows, then connect with `?lastEventId=`, without a gap. */
  position(): Promise<string>;
  /**
   * Ends every stream and takes no new ones. Stop listening first: `server.close()`, then `await hub.close()`.
   *
   * @returns resolves when every response is over. A second call returns the first one's promise.
   * @throws {TidingsError} `invalid-option`, naming the option.
   */
  close(options?: CloseOptions): Promise<void>;
}
