import type { RetryOptions } from './connection/backoff.ts';

/** The argument of functions that are called before each attempt. */
export interface RequestContext {
  /** 401 or 403 if the previous response had that status: do not use cached credentials. Otherwise undefined. */
  readonly rejected: number | undefined;
}

/** A value, or a function that returns one for each attempt, for example a fresh token. */
export type PerAttempt<T> = T | ((context: RequestContext) => T | Promise<T>);

/** Stores the position of a page across a reload: a Storage (`sessionStorage`), or an object with `get` and `set`. */
export type PositionStorage =
  | Pick<Storage, 'getItem' | 'setItem'>
  | {
      get(key: string): string | null | undefined | Promise<string | null | undefined>;
      set(key: string, lastEventId: string): unknown;
    };

/** The part of `sessionStorage` that is used. */
interface Storage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** Options of `connect`. */
export interface ConnectOptions {
  /** Request headers. A function is called before each attempt. */
  headers?: PerAttempt<RequestInit['headers']>;
  /** Default: GET, or POST if there is a `body`. */
  method?: PerAttempt<string | undefined>;
  /** The body of the request, sent with each attempt. A stream needs a function. */
  body?: PerAttempt<RequestInit['body']>;
  /** As for `fetch`. Default: `same-origin`. */
  credentials?: PerAttempt<RequestInit['credentials']>;
  /** The function that sends the requests. Default: the global `fetch`. */
  fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /** Closes the connection when it is aborted. */
  signal?: AbortSignal | undefined;
  /**
   * Names of the events whose data is text. The data of all others is parsed as JSON, and stays text if it is not JSON.
   * Without this, the text `42` would become a number.
   */
  text?: readonly string[] | undefined;
  /** The waits between failed attempts. */
  retry?: RetryOptions | undefined;
  /**
   * ms without a byte after which the client reconnects. `false`: never. Default: twice the interval of heartbeats that
   * the response announces (`Tidings-Heartbeat`); without that header, never.
   */
  silence?: number | false | undefined;
  /**
   * Closes the connection of a page that was hidden for this time in ms, and resumes when the page is shown. `true`:
   * 30,000. It has no effect without a document. Default: false.
   */
  pauseWhenHidden?: boolean | number | undefined;
  /**
   * One connection for all tabs and workers of this origin that pass the same name. `true`: the URL is the name.
   * Include the user in the name if the stream depends on the user. Outside browsers, and in a browser without Web
   * Locks, each client has its own connection. Default: false.
   */
  shared?: boolean | string | undefined;
  /**
   * URL of the control route (`sse.control()`), with which `subscribe` and `unsubscribe` change the channels of the
   * open stream. With `shared`, the stream follows the channels of all tabs. If the hub has `channelField: true`, each
   * tab receives the channels that it has subscribed to. Default: none.
   */
  control?: string | undefined;
  /**
   * The id after which the first attempt resumes, for example from `hub.position()`. Default: the id in `storage`, or
   * none.
   */
  lastEventId?: string | undefined;
  /** Stores the position, so that a page resumes after a reload. Default: none. */
  storage?: PositionStorage | undefined;
}
