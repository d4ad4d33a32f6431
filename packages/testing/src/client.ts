import type { Answer, Host } from './answer.ts';
import { Connection } from './connection.ts';
import { type ConnectOptions, questionOf } from './question.ts';
import { Received } from './received.ts';
import { type ReceivedEvent, show, soFar } from './received-event.ts';
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
  /** How many events `next` has returned. */
  #taken = 0;
  /** Gives up the request that has no answer yet. */
  #asking: AbortController | undefined;
  #closed: Promise<void> | undefined;

  /** @internal {@link connect} makes one. */
  constructor(host: Host, path: string, options: ConnectOptions) {
    this.#host = host;
    this.#path = path;
    this.#options = options;
    this.#received = new Received(options.lastEventId ?? '');
    this.#waits = new Waits(options.timeout ?? 2_000);
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
  async next<T = unknown>(name?: string): Promise<ReceivedEvent<T>> {
    const done = await this.#waits.turn();
    try {
      await this.#arrival();
      return this.#pick<T>(name);
    } finally {
      done();
    }
  }

  #arrival(): Promise<void> {
    return this.#waits.until(() => this.#taken < this.events.length || this.#connection?.isHopeless === true);
  }

  #pick<T>(name?: string): ReceivedEvent<T> {
    const event = this.events[this.#taken];
    const wanted = name === undefined ? 'event' : `event ${JSON.stringify(name)}`;
    if (event === undefined) throw new Error(this.#whyNone(wanted));
    if (name !== undefined && event.event !== name) {
      throw new Error(
        `expected the ${wanted}, but this came first: ${show(event)}; ${soFar(this.events.slice(0, this.#taken))}`,
      );
    }
    this.#taken++;
    return event as ReceivedEvent<T>;
  }

  /** Each event that comes until the response ends properly; to leave the loop leaves the client as it is. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedEvent, void, void> {
    for (;;) {
      const done = await this.#waits.turn();
      let event: ReceivedEvent;
      try {
        await this.#arrival();
        const isOver = this.#taken === this.events.length && this.#connection?.end === 'complete';
        if (isOver && (this.#connection?.isStream || this.status === 204)) return;
        event = this.#pick();
      } finally {
        done();
      }
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
    this.#asking?.abort(new Error('the client has left'));
    this.#connection?.leave();
  }

  /**
   * Leaves if it has not, and connects again as a browser would: with the same request, and with `lastEventId`. It does
   * not wait for `retry` ms before, and it comes back even where a browser would not.
   *
   * @returns this client. If its `status` is 204, there is nothing more.
   * @throws {Error} nothing answered within `timeout`, or the connection failed: that is the `cause`.
   */
  async reconnect(): Promise<this> {
    if (this.#closed !== undefined) throw new Error('the client is closed');
    this.disconnect();
    const question = questionOf(this.#path, this.#options, this.lastEventId);
    const asked = `${question.method} ${question.path}`;
    const limit = new AbortController();
    this.#asking = limit;
    let isLate = false;
    const callOff = this.#waits.late(() => {
      isLate = true;
      limit.abort();
    });
    let answer: Answer;
    try {
      answer = await this.#host.ask(question, limit.signal);
    } catch (cause) {
      if (isLate) throw new Error(`no answer to ${asked} within ${this.#waits.limit}`);
      throw new Error(`${asked} failed: ${(cause as Error)?.message ?? cause}`, { cause });
    } finally {
      callOff();
      if (this.#asking === limit) this.#asking = undefined;
    }
    if (limit.signal.aborted) {
      answer.cut();
      throw new Error(`${asked} failed: the client has left`);
    }
    this.#connection = new Connection(answer, this.#received, () => this.#waits.look());
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

  #whyNone(wanted: string): string {
    if (this.#closed !== undefined)
      return `the client was closed before the ${wanted}; ${soFar(this.events)}`;
    return this.#connection?.whyNone(wanted, this.#waits.limit) ?? '';
  }
}
