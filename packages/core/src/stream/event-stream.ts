import type { FilterEvent, SubscribeOptions } from '../delivery/subscriptions/subscribe-options.ts';
import type { EventOf, NameOf, RegisteredChannels } from '../protocol/channel-events.ts';
import type { ChannelName } from '../protocol/channel-name.ts';
import type { EventFields } from '../protocol/event.ts';
import type { SourceInput, SourceOptions } from './sending/source-options.ts';
import type { StreamStats } from './stats/stream-stats.ts';

/** Why a stream closed. */
export type CloseReason =
  /** The client disconnected. */
  | 'disconnected'
  /**
   * The application called `close()` or `hub.clients.disconnect()`, or the request was a HEAD request. With a broker
   * also: control messages that may have named the stream were lost.
   */
  | 'closed'
  /**
   * A source passed to `stream()` has ended; or all channels have ended, and their events were delivered; or
   * `authorize` has refused all channels.
   */
  | 'ended'
  /**
   * The client reads too slowly: more than `maxBufferedBytes` was buffered and no byte moved for 1 s; or more than
   * `bufferedBytesLimit` was sent; or events were trimmed before it had read them, in a channel with
   * `overflow: 'disconnect'` or, with a broker, in a compacted channel of which this process had evicted a part.
   */
  | 'slow'
  /** Bytes were buffered for the client, and none of them moved for `stallTimeout`. */
  | 'stalled'
  /** `expiresAt` has passed. */
  | 'expired'
  /** The hub's `maxAge` has passed. */
  | 'maxAge'
  /** The same client opened more streams than `limits.perClient`. */
  | 'replaced'
  /** The client missed events, and receives no resets: `markers: false`. */
  | 'lost'
  /** The hub was closed. */
  | 'drained'
  /** The stream never opened: a limit was reached, the hub was closing, or other code sent the response. */
  | 'refused'
  /** A source, a snapshot or the transport failed. `onError` was called. */
  | 'error';

/** Headers of a response: an object, a Map, a web Headers, or an iterable of pairs. */
export type StreamHeaders =
  | Record<string, string | undefined>
  | Iterable<readonly [name: string, value: string]>;

/**
 * The options of one stream.
 *
 * @typeParam Data the type of `data`.
 */
export interface StreamOptions<Data = unknown> {
  /** The owner of the stream: a user, a device, an API key. One client may have many streams. Default: none. */
  client?: string | undefined;
  /**
   * Application data of the stream: `stream.data` in observers, filters and `authorize`. The hub does not send it to
   * the client or to other processes. Default: undefined.
   */
  data?: Data | undefined;
  /** ms to wait before reconnecting, sent to the client before all events. Default: the client's own, about 3,000. */
  retry?: number | undefined;
  /**
   * Whether Tidings sends events of its own: position markers, resets, reconnection times. Set it to false for clients
   * that parse every event, such as the SDKs of language models. A client that has missed events then gets status 410,
   * or its connection is aborted and the stream closes as `lost`. Events of channels keep their ids. Default: true.
   */
  markers?: boolean | undefined;
  /**
   * Headers of the response. They replace those of Tidings, except the ones that belong to the stream or the
   * connection: `content-type`, `content-length`, `content-encoding`, `transfer-encoding`, `connection` and
   * `keep-alive` are ignored.
   */
  headers?: StreamHeaders | undefined;
  /** When the credential of the request expires. The stream closes then. A Date, or ms since 1970. Default: never. */
  expiresAt?: Date | number | undefined;
}

/**
 * One open `text/event-stream` response.
 *
 * @typeParam Data the type of `data`.
 */
export interface EventStream<Data = unknown> {
  /** The random id of this stream. A client that reconnects gets a new stream with another id. */
  readonly id: string;
  /** The owner, as passed in {@link StreamOptions.client}. */
  readonly client: string | undefined;
  /** As passed in {@link StreamOptions.data}. */
  readonly data: Data;
  /** The id of the last event that the client received: its `Last-Event-ID` header, else `?lastEventId=`. */
  readonly lastEventId: string | undefined;
  /**
   * Aborted with an AbortError as soon as the stream begins to close, for whatever reason. Listeners run in the async
   * context of the first access to this property.
   */
  readonly signal: AbortSignal;
  /** Resolves with the reason when the response is over. Never rejects. */
  readonly closed: Promise<CloseReason>;
  /** Bytes that are buffered in this process until the client reads. */
  readonly bufferedBytes: number;
  /** Returns the current stats of the stream. Takes time proportional to the number of its channels. */
  stats(): StreamStats;
  /**
   * Sends one event to this stream.
   *
   * Above `maxBufferedBytes`, the stream closes as `slow` if no byte moves for 1 s. Above `bufferedBytesLimit` it
   * closes as `slow` at once.
   *
   * @param data a string is sent as it is, bytes as UTF-8 text, anything else as JSON.
   * @returns false if the client reads too slowly: await `drained()` before you send more. Also false on a closed
   *   stream, where it does nothing.
   * @throws {TidingsError} `invalid-field`: CR, LF or NUL in `id` or `event`; an `id` on a stream with subscriptions,
   *   whose ids are positions; `retry` is not an integer of 0 or more.
   * @throws {TypeError} the data is undefined, a function, a symbol or a promise, or cannot be JSON.
   */
  send(data: unknown, fields?: EventFields): boolean;
  /** Sends an SSE comment. Browsers ignore comments. Returns what `send` returns. */
  comment(text?: string): boolean;
  /** Resolves when there is room for more, or the stream closes. Never rejects. */
  drained(): Promise<void>;
  /**
   * Sends each item of a source as an event, at the client's pace, and then ends the response. The source is cancelled
   * when the client disconnects.
   *
   * A browser reconnects after the end of a response. If the request was a GET, it then receives status 204 and stops,
   * and the source is not opened again.
   *
   * @returns a promise of true if every item was sent, and of false if the stream closed before. Never rejects: if the
   *   source fails, `onError` is called with the stage `source`, and the stream closes as `error`.
   */
  stream<T>(source: SourceInput<T>, options?: SourceOptions<T>): Promise<boolean>;
  /**
   * Subscribes the stream to channels. It receives their events in the order of the hub, each once.
   *
   * All calls in the tick of the stream's first call resume after the client's Last-Event-ID. Calls in a later tick
   * begin now, or with the channel's state if it has one. `from` changes that. A channel that is already subscribed
   * keeps its position and gets the new `filter`, unless you pass `from`.
   *
   * On a closed stream it does nothing.
   *
   * @throws {TidingsError} `invalid-option`: a channel without a name, or an invalid option, by its name; `from:
   *   'state'` for a channel without `compact` and `snapshot`. It also throws what `HubOptions.channels` throws.
   */
  subscribe<Name extends keyof RegisteredChannels & string>(
    channels: NameOf<Name> | readonly NameOf<Name>[],
    options?: SubscribeOptions<EventStream<Data>, EventOf<RegisteredChannels, Name> & FilterEvent>,
  ): this;
  /** Ends subscriptions. Channels that are not subscribed are ignored. */
  unsubscribe(channels: ChannelName | readonly ChannelName[]): this;
  /**
   * Replaces {@link StreamOptions.expiresAt}, for a session that was extended or shortened. On a closed stream it does
   * nothing.
   *
   * @param expiresAt a Date, or ms since 1970.
   * @throws {TidingsError} `invalid-option`: it is neither.
   */
  renew(expiresAt: Date | number): void;
  /**
   * Ends the response after all events that were sent and published before. If the client reads nothing, the connection
   * is aborted after `stallTimeout`. A stream that waits for a broker ends without the events that were published
   * meanwhile; its client receives them when it reconnects. Idempotent.
   */
  close(): void;
}

/** Where an error occurred. */
export interface ErrorContext {
  /**
   * - `open`: the response headers could not be sent.
   * - `source`: a source of `stream()` or `channel.from()` failed, or an item could not be sent.
   * - `handler`: a handler failed after the response had begun.
   * - `write`: a heartbeat or the end could not be written, or more than `bufferedBytesLimit` was sent.
   * - `request`: the body of the request was discarded, because nothing read it before the response began.
   * - `subscribe`: a filter or a snapshot failed.
   * - `authorize`: `authorize` refused a channel, threw, rejected, or did not settle in time.
   * - `publish`: an event was not accepted.
   * - `listen`: a listener, its filter or a snapshot for it failed.
   * - `presence`: the list of clients could not be stored, or `presence.data` failed. The hub tries again.
   * - `broker`: a call of the broker failed. The hub calls it again.
   * - `observer`: a callback of the observer failed.
   */
  stage:
    | 'open'
    | 'source'
    | 'handler'
    | 'write'
    | 'request'
    | 'subscribe'
    | 'authorize'
    | 'publish'
    | 'listen'
    | 'presence'
    | 'broker'
    | 'observer';
  /** The stream. Absent for `publish`, `listen`, `presence`, `broker`, `observer`, and the source of a channel. */
  stream?: EventStream;
  /** The channel of `publish`, `from()` and `authorize`. */
  channel?: string | undefined;
}
