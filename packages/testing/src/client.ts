import { Connection } from './connection.ts';
import { EventCursor } from './event-cursor.ts';
import { Received } from './received.ts';
import type { ReceivedEvent, ReceivedItem } from './received-event.ts';
import { type ConnectOptions, createRequest } from './request.ts';
import type { Host, TestResponse } from './response.ts';
import { Waits } from './waits.ts';

/** What a test looks at the events of a server with: one client, and the response it has now. */
export class TestClient implements AsyncIterable<ReceivedEvent> {
  readonly #host: Host;
  readonly #path: string;
  readonly #options: ConnectOptions;
  readonly #received: Received;
  readonly #waits: Waits;
  /** The newest. */
  #connection: Connection | undefined;
  readonly #cursor: EventCursor;
  /** Aborts the request that has no response yet. */
  #pending: AbortController | undefined;
  #closed: Promise<void> | undefined;

  /** @internal {@link connect} makes one. */
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

  /** Of the response; 204 says that there is nothing more, and an EventSource does not come back. */
  get status(): number {
    return this.#connection?.status ?? 0;
  }

  /** Of the response. */
  get headers(): Headers {
    return this.#connection?.headers ?? new Headers();
  }

  /** All that have been received so far, in all connections: those that `next` has returned, and those it has not. */
  get events(): readonly ReceivedEvent[] {
    return this.#received.events;
  }

  /** All that have been received so far, heartbeats too. */
  get comments(): readonly string[] {
    return this.#received.comments;
  }

  /** Events and comments in the order of their arrival, in all connections. */
  get items(): readonly ReceivedItem[] {
    return this.#received.items;
  }

  /** Ms that the server last said to wait before a reconnect; undefined: it has not. */
  get retry(): number | undefined {
    return this.#received.retry;
  }

  /** What a reconnect says: the id that was received last, whether or not `next` has got there; '' if there is none. */
  get lastEventId(): string {
    return this.#received.lastEventId;
  }

  /**
   * Resolves when the response is over: true if it came to its proper end, false if it was cut. Reading it is a wait.
   *
   * @throws {Error} it has not ended within `timeout`.
   */
  get ended(): Promise<boolean> {
    // Made here, so that it says where in the test.
    const ended = this.#waitForEnd(new Error());
    // It may be read, and be awaited later.
    ended.catch(() => {});
    return ended;
  }

  /**
   * The next event, in the order of their arrival; each is returned once.
   *
   * The markers of Tidings, which no handler sees, are no events here; they count for `lastEventId`.
   *
   * @param name what the event has to be called. Nothing is skipped: if another comes, that is an error.
   * @typeParam T what `json()` returns.
   * @throws {Error} there was none within `timeout`, or the response ended first, or it is no stream of events.
   */
  next<T = unknown>(name?: string): Promise<ReceivedEvent<T>> {
    return this.#cursor.next(name) as Promise<ReceivedEvent<T>>;
  }

  /**
   * The first event that is wanted. The events before it are skipped: `next` does not return them. After an error, none is
   * skipped.
   *
   * @param wanted the name of the event, or a function that returns whether it is the one.
   * @typeParam T what `json()` returns.
   * @throws {Error} there was none within `timeout`, or the response ended first, or it is no stream of events.
   */
  until<T = unknown>(wanted: string | ((event: ReceivedEvent) => boolean)): Promise<ReceivedEvent<T>> {
    return this.#cursor.until(wanted) as Promise<ReceivedEvent<T>>;
  }

  /**
   * The text of the next comment, in the order of their arrival; each is returned once. A heartbeat is ''.
   *
   * @throws {Error} there was none within `timeout`, or the response ended first, or it is no stream of events.
   */
  nextComment(): Promise<string> {
    return this.#cursor.nextComment();
  }

  /** Each event until the response ends properly. Leaving the loop leaves the client as it is. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedEvent, void, void> {
    for (;;) {
      const event = await this.#cursor.nextUntilEnd();
      if (event === undefined) return;
      yield event;
    }
  }

  /** Stops reading: what the server sends fills the kernel's buffers, and then piles up on its side. */
  stall(): void {
    this.#connection?.stall();
  }

  /** Reads on. */
  resume(): void {
    this.#connection?.resume();
  }

  /** Leaves, as a browser does that has lost its network; what was not read yet is lost. The server stays. */
  disconnect(): void {
    this.#pending?.abort(new Error('the client has left'));
    this.#connection?.leave();
  }

  /**
   * Leaves if it has not, and connects again as a browser would: with the same request, and with `lastEventId`. It does
   * not wait for `retry` ms before, and it comes back even where a browser would not.
   *
   * @returns this client. If its `status` is 204, there is nothing more.
   * @throws {Error} no response within `timeout`, or the connection failed: that is the `cause`.
   */
  async reconnect(): Promise<this> {
    if (this.#closed !== undefined) throw new Error('the client is closed');
    this.disconnect();
    const request = createRequest(this.#path, this.#options, this.lastEventId);
    const described = `${request.method} ${request.path}`;
    const limit = new AbortController();
    this.#pending = limit;
    let isLate = false;
    const callOff = this.#waits.late(() => {
      isLate = true;
      limit.abort();
    });
    let response: TestResponse;
    try {
      response = await this.#host.send(request, limit.signal);
    } catch (cause) {
      if (isLate) throw new Error(`no answer to ${described} within ${this.#waits.limit}`);
      throw new Error(`${described} failed: ${(cause as Error)?.message ?? cause}`, { cause });
    } finally {
      callOff();
      if (this.#pending === limit) this.#pending = undefined;
    }
    if (limit.signal.aborted) {
      response.abort();
      throw new Error(`${described} failed: the client has left`);
    }
    this.#connection = new Connection(response, this.#received, () => this.#waits.look());
    return this;
  }

  /** Leaves, and ends what was served for this client. What still waits is an error. */
  close(): Promise<void> {
    this.disconnect();
    this.#closed ??= this.#host.close();
    return this.#closed;
  }

  /** {@link close}, at the end of the block of an `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #waitForEnd(late: Error): Promise<boolean> {
    await this.#waits.until(() => this.#connection?.end !== undefined);
    if (this.#connection?.end !== undefined) return this.#connection.end === 'complete';
    late.message = this.#connection?.whyOpen(this.#waits.limit) ?? '';
    late.stack = `Error: ${late.message}${late.stack?.slice('Error'.length)}`;
    throw late;
  }
}
