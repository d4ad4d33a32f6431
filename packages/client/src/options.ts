import type { RetryOptions } from './connection/backoff.ts';

/** What is known when a request is about to be made. */
export interface RequestContext {
  /** 401 or 403 if this attempt follows a response with that status: credentials that are cached are of no use. */
  readonly rejected: number | undefined;
}

/** A value, or a function that returns one for each attempt, so that a token is fresh. */
export type PerAttempt<T> = T | ((context: RequestContext) => T | Promise<T>);

/** Keeps the position of a page across a reload. A Storage (`sessionStorage`), or anything with `get` and `set`. */
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
  /** Makes the requests. Default: the global `fetch`. */
  fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /** Closes the connection when it is aborted. */
  signal?: AbortSignal | undefined;
  /**
   * Names of the events whose data is text. The data of all others is parsed as JSON, and stays text if it is not JSON.
   * Without this, the text `42` would become a number.
   */
  text?: readonly string[] | undefined;
  /** How long to wait between attempts that fail. */
  retry?: RetryOptions | undefined;
  /**
   * ms without a byte after which a connection is dead, and a new one is made. `false`: never. Default: twice the
   * interval of heartbeats that the response announces (`Tidings-Heartbeat`); without that header, never.
   */
  silence?: number | false | undefined;
  /**
   * Closes the connection of a page that has been hidden for so many ms, and resumes when it is shown. `true`: 30,000.
   * Without a document it has no effect. Default: false.
   */
  pauseWhenHidden?: boolean | number | undefined;
  /**
   * One connection for all tabs of this origin, and workers, that pass the same name. `true`: the URL. Include the user
   * in the name if the stream depends on who asks. A browser without Web Locks and everything else that is not a browser
   * has a connection for each client. Default: false.
   */
  shared?: boolean | string | undefined;
  /**
   * URL of the control route (`sse.control()`), by which `subscribe` and `unsubscribe` change the channels of the open
   * stream. With `shared`, the stream follows the channels of all tabs, and each tab receives those that it has asked for,
   * if the hub has `channelField: true`. Default: none.
   */
  control?: string | undefined;
  /** The position after which to begin, for example from `hub.position()`. Default: that of `storage`, or none. */
  lastEventId?: string | undefined;
  /** Keeps the position, so that a page resumes after a reload. Default: none. */
  storage?: PositionStorage | undefined;
}
