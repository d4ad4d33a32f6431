import type { SubscribeOptions } from '../delivery/subscribe-options.ts';
import type { ChannelName } from '../protocol/channel-name.ts';
import type { EventFields } from '../protocol/event.ts';
import type { SourceInput, SourceOptions } from './source-options.ts';

/** Why a stream closed. */
export type CloseReason =
  /** The peer left. */
  | 'disconnected'
  /** The application called `close()` or `hub.clients.disconnect()`, or the request was for the head only. */
  | 'closed'
  /** A source given to `stream()` is finished; or all of its channels have ended, and it has been given everything. */
  | 'ended'
  /**
   * More was sent than `maxBufferedBytes` while the peer did not read; or what it needs has left the history of a
   * channel with `overflow: 'disconnect'`.
   */
  | 'slow'
  /** The peer took nothing for `stallTimeout`. */
  | 'stalled'
  /** `expiresAt` has come. */
  | 'expired'
  /** The hub's `maxAge` has passed. */
  | 'maxAge'
  /** The same client opened more streams than `limits.perClient`. */
  | 'replaced'
  /** The hub was closed. */
  | 'drained'
  /** It never opened: a limit was reached, the hub was closing, or something else answered the request. */
  | 'refused'
  /** A source failed, or the transport did. */
  | 'error';

/** As an object, a Map, a web Headers, or pairs. */
export type StreamHeaders =
  | Record<string, string | undefined>
  | Iterable<readonly [name: string, value: string]>;

/** What a handler may say of its stream. */
export interface StreamOptions {
  /** Whom the stream belongs to: a user, a device, an API key. One client may have many streams. */
  client?: string | undefined;
  /** Ms that the client waits before it reconnects, sent first of all. Default: the client's own, about 3 s. */
  retry?: number | undefined;
  /** Headers of the response. They win over those of Tidings, but for the ones a stream cannot be without. */
  headers?: StreamHeaders | undefined;
  /** When the credential of the request ends, and the stream with it: a Date, or ms since 1970. Default: never. */
  expiresAt?: Date | number | undefined;
}

/** One open `text/event-stream` response. */
export interface EventStream {
  /** Random, and unique to this stream: a client that reconnects gets another. */
  readonly id: string;
  readonly client: string | undefined;
  /** The id of the last event the client has seen: its `Last-Event-ID` header, else `?lastEventId=`. */
  readonly lastEventId: string | undefined;
  /** Aborted with an AbortError as soon as the stream closes, whoever closed it. */
  readonly signal: AbortSignal;
  /** Resolves when the response is over, and never rejects. */
  readonly closed: Promise<CloseReason>;
  /** Bytes that were sent and are still in this process, since the peer has not taken them. */
  readonly bufferedBytes: number;
  /**
   * Sends one event. Data: a string as it is, bytes as UTF-8 text, anything else as JSON.
   *
   * @returns false: the peer is behind; await `drained()`. On a closed stream nothing happens, and it is false.
   * @throws {TidingsError} `invalid-field`: CR, LF or NUL in `id` or `event`; an `id` on a stream that is subscribed,
   *   whose ids are positions; `retry` not an integer of 0 or more.
   * @throws {TypeError} data that is undefined, a function, a symbol, a promise, or cannot be JSON.
   */
  send(data: unknown, fields?: EventFields): boolean;
  /** Sends a comment, which no client dispatches. Returns what `send` does. */
  comment(text?: string): boolean;
  /** Resolves when the peer has caught up so far that there is room again, or the stream closes. */
  drained(): Promise<void>;
  /**
   * Sends each item of a source as an event, at the pace of the peer, and then ends the response. When the
   * peer leaves, the source is stopped.
   *
   * A browser comes back after the end of a response; to a finished GET it is told not to, and the source
   * is not asked again.
   *
   * @returns true when all was handed over. Never rejects: a source that fails goes to the hub's `onError`
   *   and closes the stream.
   */
  stream<T>(source: SourceInput<T>, options?: SourceOptions<T>): Promise<boolean>;
  /**
   * Gives the stream what is published to channels. Events come in the order of the hub, each once; a client that
   * reconnects goes on after the last it has seen, if it is subscribed in the turn of its request: await what you need
   * to know before `sse()`. Subscriptions may change while the stream is open; one that is there already goes on where
   * it is, through the new filter, unless `from` says otherwise.
   *
   * @throws {TidingsError} `invalid-option`: a channel without a name, or an option, by its name. What
   *   `HubOptions.channels` throws is thrown here.
   */
  subscribe(channels: ChannelName | readonly ChannelName[], options?: SubscribeOptions): this;
  /** Ends subscriptions; of those that there are not, nothing is said. */
  unsubscribe(channels: ChannelName | readonly ChannelName[]): this;
  /** Sends what is queued, then ends the response. A peer that takes nothing is given up at the stall deadline. */
  close(): void;
}

/** What went wrong where. */
export interface ErrorContext {
  /**
   * `open`: the head could not be sent · `source`: a source failed or an item could not be sent · `handler`: a
   * handler failed when its answer was already under way · `write`: a heartbeat or an end could not be written ·
   * `subscribe`: a filter or a snapshot failed · `publish`: an event was not accepted · `broker`: it cannot be
   * reached, or does not do what it was asked for; it is asked again · `observer`: a callback of it failed.
   */
  stage: 'open' | 'source' | 'handler' | 'write' | 'subscribe' | 'publish' | 'broker' | 'observer';
  /** Absent for `publish`, `broker` and `observer`. */
  stream?: EventStream;
  /** Of a `publish`. */
  channel?: string | undefined;
}
