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
 * - `connecting`: a request is under way.
 * - `open`: the response has begun.
 * - `waiting`: the next attempt is due later, or the page is hidden or frozen.
 * - `offline`: like `waiting`, while the browser has no network. The next attempt is made when it has one.
 * - `ended`: the server has nothing more to send, or `close()` was called.
 * - `unauthorized`: the server has answered 401 or 403. Call `reconnect()` when there are new credentials.
 * - `failed`: the request cannot succeed, or must not be repeated. `error` says why.
 */
export type State = 'connecting' | 'open' | 'waiting' | 'offline' | 'ended' | 'unauthorized' | 'failed';

/** Types that are sent as text. All others are sent as JSON. */
type SentAsText = string | Uint8Array | ArrayBuffer;
type IsText<T> = [Extract<T, SentAsText>] extends [never] ? false : true;
type Received<T> = IsText<T> extends true ? string : Parsed<T>;

type Own = OwnEvents & { revoked: Revoked };
/** The events of a map, and those that a hub sends by itself. */
type AllEvents<Map> = Map & Omit<Own, string extends keyof Map ? never : keyof Map>;
/** The names of the events whose data is text. */
export type TextEvents<Map> = {
  [Name in keyof Map & string]: IsText<Map[Name]> extends true ? Name : never;
}[keyof Map & string];

/** An event. */
export interface ReceivedEvent<Name extends string = string, T = unknown> {
  /** Its name: `message` if it was sent without one. */
  readonly event: Name;
  /** Parsed, if it is JSON and its name is not in `text`. */
  readonly data: T;
  /** Undefined if it was sent without one. */
  readonly id: string | undefined;
  /** Its channel, if the server sends it: a hub does with `channelField: true`. */
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
  /** Why the last attempt failed. Undefined while the connection is open. */
  readonly error: Error | undefined;
  /** The position: the id with which the next attempt resumes. '' if there is none. */
  readonly lastEventId: string;
  /**
   * Calls a listener for each event of a name, or for each change of the state.
   *
   * A listener that throws does not disturb the others. Its error is reported as uncaught.
   *
   * @param name `state`, or the name of an event. Events without a name are `message`. An event that the server names
   *   `state` is only seen by iterating.
   * @returns a function that removes the listener.
   */
  on(name: 'state', listener: (state: State) => unknown): () => void;
  on<Name extends keyof AllEvents<Map> & string>(
    name: Name,
    listener: (event: EventNamed<Map, Name>) => unknown,
  ): () => void;
  /**
   * Adds channels to the stream by the control route, and again after each reconnect, without a gap.
   *
   * @returns resolves when the server has stored the change. Without a stream, that is when there is one.
   * @throws {Error} (rejects) there is no `control`, or the server refuses: the error has its status.
   */
  subscribe(channels: string | readonly string[]): Promise<void>;
  /** Removes channels that `subscribe` has added. Like `subscribe` otherwise. */
  unsubscribe(channels: string | readonly string[]): Promise<void>;
  /** Connects now, whatever the state, with new headers. After `close()` it does nothing. */
  reconnect(): void;
  /**
   * Closes the connection for good. Idempotent.
   *
   * @param options `everywhere`: also in all tabs that share it, for example at log-out. Default: false.
   */
  close(options?: { everywhere?: boolean }): void;
}
