import { Connection } from './connection.ts';
import { EventCursor } from './event-cursor.ts';
import { Received } from './received.ts';
import type { ReceivedEvent, ReceivedItem } from './received-event.ts';
import { type ConnectOptions, createRequest } from './request.ts';
import type { Host, TestResponse } from './response.ts';
import { Waits } from './waits.ts';

/** A client for tests. It has one response at a time, and stores the events of all responses. */
export class TestClient implements AsyncIterable<ReceivedEvent> {
  readonly #host: Host;
  readonly #path: string;
  readonly #options: ConnectOptions;
  readonly #received: Received;
  readonly #waits: Waits;
  /** The newest connection. */
  #connection: Connection | undefined;
  readonly #cursor: EventCursor;
  /** Aborts the request while there is no response. */
  #pending: AbortController | undefined;
  #closed: Promise<void> | undefined;

  /** @internal Created by {@link connect}. */
  constructor(host: Host, path: string, options: ConnectOptions) {
    this.#host = host;
    this.#path = path;
    this.#options = options;
    this.#received = new Received(options.lastEventId ?? '');
    this.#waits = new Waits(options.timeout ?? 2_000);
    const connection = () => this.#connection;
    const isClosed = () => this.#closed !== undefined;
    this.#cursor = new EventCursor(this.#received, this.#waits, {
      get connection() {
        return connection();
      },
      get isClosed() {
        return isClosed();
      },
    });
  }

  /** The status of the response. After 204, the stream has ended, and an EventSource does not reconnect. */
  get status(): number {
    return this.#connection?.status ?? 0;
  }

  /** The headers of the response. */
  get headers(): Headers {
    return this.#connection?.headers ?? new Headers();
  }

  /** All events received until now, on all connections, whether `next` has returned them or not. */
  get events(): readonly ReceivedEvent[] {
    return this.#received.events;
  }

  /** The texts of all comments received until now. A heartbeat is ''. */
  get comments(): readonly string[] {
    return this.#received.comments;
  }

  /** Events and comments in the order in which they arrived, on all connections. */
  get items(): readonly ReceivedItem[] {
    return this.#received.items;
  }

  /** The latest reconnection time from the server (`retry`), in ms. Undefined if it has sent none. */
  get retry(): number | undefined {
    return this.#received.retry;
  }

  /** The id that `reconnect()` sends: that of the last event received. '' if there is none. */
  get lastEventId(): string {
    return this.#received.lastEventId;
  }

  /**
   * Resolves when the response is over: with true if it ended properly, with false if the connection was aborted.
   * `timeout` begins when the property is read.
   *
   * @throws {Error} the response has not ended within `timeout`.
   */
  get ended(): Promise<boolean> {
    // The error is created here, so that its stack has the line of the test.
    const ended = this.#waitForEnd(new Error());
    // Without a handler, a rejection before the test awaits the promise would be unhandled.
    ended.catch(() => {});
    return ended;
  }

  /**
   * Returns the next event. Each event is returned once.
   *
   * It does not return the position markers of Tidings, which set `lastEventId`.
   *
   * @param name the expected name of the event. Default: any.
   * @typeParam T what `json()` returns.
   * @throws {Error} the event has another name, no event arrived within `timeout`, the response ended first, or it is
   *   not an event stream.
   */
  next<T = unknown>(name?: string): Promise<ReceivedEvent<T>> {
    return this.#cursor.next(name) as Promise<ReceivedEvent<T>>;
  }

  /**
   * Returns the next event that matches, and skips the events before it: `next` does not return them. After an error,
   * no event is skipped.
   *
   * @param wanted the name of the event, or a function that returns whether it matches.
   * @typeParam T what `json()` returns.
   * @throws {Error} none arrived within `timeout`, the response ended first, or it is not an event stream.
   */
  until<T = unknown>(wanted: string | ((event: ReceivedEvent) => boolean)): Promise<ReceivedEvent<T>> {
    return this.#cursor.until(wanted) as Promise<ReceivedEvent<T>>;
  }

  /**
   * Returns the text of the next comment; '' for a heartbeat. Each comment is returned once.
   *
   * @throws {Error} none arrived within `timeout`, the response ended first, or it is not an event stream.
   */
  nextComment(): Promise<string> {
    return this.#cursor.nextComment();
  }

  /** Iterates over the events until the response ends properly. `break` does not close the client. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedEvent, void, void> {
    for (;;) {
      const event = await this.#cursor.nextUntilEnd();
      if (event === undefined) return;
      yield event;
    }
  }

  /** Stops reading, so that the buffers of the kernel and then those of the server fill. */
  stall(): void {
    this.#connection?.stall();
  }

  /** Reads again after `stall()`. */
  resume(): void {
    this.#connection?.resume();
  }

  /** Aborts the connection. Bytes that were not read yet are lost. The server keeps running. */
  disconnect(): void {
    this.#pending?.abort(new Error('the client was disconnected'));
    this.#connection?.disconnect();
  }

  /**
   * Disconnects if necessary, and sends the same request again with `lastEventId`, as a browser does. It does not wait
   * for `retry` ms, and reconnects even where a browser would not.
   *
   * @returns this client. If its `status` is 204, the stream has ended.
   * @throws {Error} no response within `timeout`, or the connection failed: that is the `cause`.
   */
  async reconnect(): Promise<this> {
    if (this.#closed !== undefined) throw new Error('the client is closed');
    this.disconnect();
    const request = createRequest(this.#path, this.#options, this.lastEventId);
    const described = `${request.method} ${request.path}`;
    const pending = new AbortController();
    this.#pending = pending;
    let hasTimedOut = false;
    const cancelTimeout = this.#waits.onTimeout(() => {
      hasTimedOut = true;
      pending.abort();
    });
    let response: TestResponse;
    try {
      response = await this.#host.send(request, pending.signal);
    } catch (cause) {
      if (hasTimedOut) throw new Error(`no response to ${described} within ${this.#waits.limit}`);
      throw new Error(`${described} failed: ${(cause as Error)?.message ?? cause}`, { cause });
    } finally {
      cancelTimeout();
      if (this.#pending === pending) this.#pending = undefined;
    }
    if (pending.signal.aborted) {
      response.abort();
      throw new Error(`${described} failed: the client was disconnected`);
    }
    this.#connection = new Connection(response, this.#received, () => this.#waits.check());
    return this;
  }

  /** Disconnects, and stops the server that was started for this client. Pending calls reject. Idempotent. */
  close(): Promise<void> {
    this.disconnect();
    this.#closed ??= this.#host.close();
    return this.#closed;
  }

  /** Calls {@link close} at the end of the block of an `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #waitForEnd(timeoutError: Error): Promise<boolean> {
    await this.#waits.until(() => this.#connection?.end !== undefined);
    if (this.#connection?.end !== undefined) return this.#connection.end === 'complete';
    timeoutError.message = this.#connection?.whyOpen(this.#waits.limit) ?? '';
    timeoutError.stack = `Error: ${timeoutError.message}${timeoutError.stack?.slice('Error'.length)}`;
    throw timeoutError;
  }
}
