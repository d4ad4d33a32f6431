import type { OwnEvents, Parsed } from '@tidings/core/client';

/** Channels without types: the data of every event is unknown. */
export type AnyChannels = Record<string, Record<string, unknown>>;

/** The data of `revoked`. */
export interface Revoked {
  /** The channels that this client may no longer follow. */
  channels: string[];
}

/**
 * The state of a connection.
 *
 * - `connecting`: a request is in progress.
 * - `open`: the response headers have arrived.
 * - `waiting`: the client waits before the next attempt, or the page is hidden or frozen.
 * - `offline`: like `waiting`, while the browser is offline. The client reconnects when it is online.
 * - `ended`: the server has nothing more to send, or `close()` was called.
 * - `unauthorized`: the server responded with 401 or 403. Call `reconnect()` when you have new credentials.
 * - `failed`: the request cannot succeed, or must not be repeated. `error` has the reason.
 */
export type State = 'connecting' | 'open' | 'waiting' | 'offline' | 'ended' | 'unauthorized' | 'failed';

/** Types that are sent as text. All others are sent as JSON. */
type SentAsText = string | Uint8Array | ArrayBuffer;
type IsText<T> = [Extract<T, SentAsText>] extends [never] ? false : true;
type Received<T> = IsText<T> extends true ? string : Parsed<T>;

type Own = OwnEvents & { revoked: Revoked };
/** The events of a map, and the events of the hub itself. */
type AllEvents<Map> = Map & Omit<Own, string extends keyof Map ? never : keyof Map>;
/** The names of the events whose data is text. */
export type TextEvents<Map> = {
  [Name in keyof Map & string]: IsText<Map[Name]> extends true ? Name : never;
}[keyof Map & string];

/** An event. */
export interface ReceivedEvent<Name extends string = string, T = unknown> {
  /** The name of the event: `message` if it was sent without a name. */
  readonly event: Name;
  /** The data, parsed from JSON. Text if it is not JSON, or if the option `text` has the name of the event. */
  readonly data: T;
  /** The id of the event. Undefined if it was sent without an id. */
  readonly id: string | undefined;
  /** The channel of the event, if the hub has `channelField: true`. */
  readonly channel: string | undefined;
}

/** The event of a map that has this name. */
export type EventNamed<Map, Name extends keyof AllEvents<Map> & string> = ReceivedEvent<
  Name,
  Received<AllEvents<Map>[Name]>
>;

/** Any event of a map. `event` tells which. */
export type AnyEvent<Map> = {
  [Name in keyof AllEvents<Map> & string]: EventNamed<Map, Name>;
}[keyof AllEvents<Map> & string];

/**
 * The events of one connection, which reconnects and resumes by itself.
 *
 * `for await (const event of events)` receives every event, from the start of the loop. It ends when the state becomes
 * `ended`, and throws `error` when it becomes `failed`.
 *
 * @typeParam Map event name → data.
 */
export interface Events<Map = Record<string, unknown>> extends AsyncIterable<AnyEvent<Map>> {
  readonly state: State;
  /** The error of the last attempt. Undefined while the connection is open. */
  readonly error: Error | undefined;
  /** The id after which the next attempt resumes. '' if there is none. */
  readonly lastEventId: string;
  /**
   * Calls a listener for each event of a name, or for each change of the state.
   *
   * If a listener throws, its error is reported as uncaught, and the other listeners are still called.
   *
   * @param name `state`, or the name of an event. Events without a name are `message`. An event that the server names
   *   `state` is received only by iteration.
   * @returns a function that removes the listener.
   */
  on(name: 'state', listener: (state: State) => unknown): () => void;
  on<Name extends keyof AllEvents<Map> & string>(
    name: Name,
    listener: (event: EventNamed<Map, Name>) => unknown,
  ): () => void;
  /**
   * Subscribes the stream to channels through the control route, and again after each reconnect, without a gap.
   *
   * @returns a promise that resolves when the server has stored the change. If no stream is open, it waits for one.
   *   Rejects with an Error if there is no option `control`, if the connection is closed, or if the server refuses: its
   *   message has the status.
   */
  subscribe(channels: string | readonly string[]): Promise<void>;
  /** Unsubscribes from channels of `subscribe`. Returns the same promise as `subscribe`. */
  unsubscribe(channels: string | readonly string[]): Promise<void>;
  /** Reconnects immediately in any state, with new headers. After `close()` it does nothing. */
  reconnect(): void;
  /**
   * Closes the connection permanently. Idempotent.
   *
   * @param options `everywhere`: closes the connection of all tabs that share it, for example on logout. Default:
   *   false.
   */
  close(options?: { everywhere?: boolean }): void;
}
