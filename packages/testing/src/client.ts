import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Answer, Host } from './answer.ts';
import type { ConnectOptions } from './connect.ts';
import { type ReceivedEvent, receivedEvent, SHOWN, show, soFar } from './received-event.ts';

// As they are now: a test that fakes the clock later does not stop the one that limits its waits.
const { setTimeout, clearTimeout } = globalThis;

/** The longest time a timer can be set for. */
const LONGEST = 2 ** 31 - 1;

/** What a test looks at the events of a server with: one client, and the response it has now. */
export class TestClient implements AsyncIterable<ReceivedEvent> {
  readonly #host: Host;
  readonly #path: string;
  readonly #options: ConnectOptions;
  readonly #timeout: number;
  readonly #waiting = new Set<() => void>();
  readonly #events: ReceivedEvent[] = [];
  readonly #comments: string[] = [];
  /** How many events `next` has returned. */
  #taken = 0;
  #lastEventId: string;
  #retry: number | undefined;
  #answer: Answer | undefined;
  /** The beginning of a response that is no stream. */
  #body = '';
  /** How the response ended: undefined while it has not. */
  #end: 'complete' | 'cut' | 'left' | undefined;
  #isStalled = false;
  #lastTurn: Promise<void> = Promise.resolve();
  /** Gives up the request that has no answer yet. */
  #asking: AbortController | undefined;
  #closed: Promise<void> | undefined;

  /** @internal {@link connect} makes one. */
  constructor(host: Host, path: string, options: ConnectOptions) {
    this.#host = host;
    this.#path = path;
    this.#options = options;
    this.#timeout = Math.min(options.timeout ?? 2_000, LONGEST);
    this.#lastEventId = options.lastEventId ?? '';
  }

  /** Of the response; 204 says that there is nothing more, and an EventSource does not come back. */
  get status(): number {
    return this.#answer?.status ?? 0;
  }

  /** Of the response. */
  get headers(): Headers {
    return this.#answer?.headers ?? new Headers();
  }

  /** All that have been received so far, in all connections: those that `next` has returned, and those it has not. */
  get events(): readonly ReceivedEvent[] {
    return this.#events;
  }

  /** All that have been received so far, heartbeats too. */
  get comments(): readonly string[] {
    return this.#comments;
  }

  /** Ms that the server last said to wait before a reconnect; undefined: it has not. */
  get retry(): number | undefined {
    return this.#retry;
  }

  /** What a reconnect says: the id that was received last, whether or not `next` has got there; '' if there is none. */
  get lastEventId(): string {
    return this.#lastEventId;
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
    const done = await this.#turn();
    try {
      await this.#arrival();
      return this.#pick<T>(name);
    } finally {
      done();
    }
  }

  /** Those who wait for an event at the same time get one each, in the order in which they asked. */
  async #turn(): Promise<() => void> {
    const before = this.#lastTurn;
    let done = () => {};
    this.#lastTurn = new Promise(resolve => {
      done = resolve;
    });
    await before;
    return done;
  }

  #arrival(): Promise<void> {
    return this.#until(
      () => this.#taken < this.#events.length || this.#end !== undefined || this.#body.length >= SHOWN,
    );
  }

  #pick<T>(name?: string): ReceivedEvent<T> {
    const event = this.#events[this.#taken];
    const wanted = name === undefined ? 'event' : `event ${JSON.stringify(name)}`;
    if (event === undefined) throw new Error(this.#whyNone(wanted));
    if (name !== undefined && event.event !== name) {
      throw new Error(
        `expected the ${wanted}, but this came first: ${show(event)}; ${soFar(this.#events.slice(0, this.#taken))}`,
      );
    }
    this.#taken++;
    return event as ReceivedEvent<T>;
  }

  /** Each event that comes until the response ends properly; to leave the loop leaves the client as it is. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedEvent, void, void> {
    for (;;) {
      const done = await this.#turn();
      let event: ReceivedEvent;
      try {
        await this.#arrival();
        const isOver = this.#taken === this.#events.length && this.#end === 'complete';
        if (isOver && (this.#isStream || this.status === 204)) return;
        event = this.#pick();
      } finally {
        done();
      }
      yield event;
    }
  }

  /** Stops reading: what the server sends fills the kernel's buffers, and then piles up on its side. */
  stall(): void {
    this.#isStalled = true;
    this.#answer?.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#isStalled = false;
    this.#answer?.resume();
  }

  /** Leaves, as a browser does that has lost its network; what was not read yet is lost. The server stays. */
  disconnect(): void {
    this.#asking?.abort(new Error('the client has left'));
    if (this.#end !== undefined) return;
    this.#end = 'left';
    this.#answer?.cut();
    this.#look();
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
    const { body, method = body === undefined ? 'GET' : 'POST', headers } = this.#options;
    const asked = `${method} ${this.#path}`;
    const limit = new AbortController();
    this.#asking = limit;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      limit.abort();
    }, this.#timeout);
    let answer: Answer;
    try {
      const question = {
        path: this.#path,
        method,
        body,
        headers: withLastEventId(headers, this.#lastEventId),
      };
      answer = await this.#host.ask(question, limit.signal);
    } catch (cause) {
      if (isLate) throw new Error(`no answer to ${asked} within ${this.#limit}`, { cause });
      throw new Error(`${asked} failed: ${(cause as Error)?.message ?? cause}`, { cause });
    } finally {
      clearTimeout(timer);
      if (this.#asking === limit) this.#asking = undefined;
    }
    if (limit.signal.aborted) {
      answer.cut();
      throw new Error(`${asked} failed: the client has left`);
    }
    this.#follow(answer);
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

  get #isStream(): boolean {
    const type = this.headers.get('content-type') ?? '';
    return this.status === 200 && /^text\/event-stream *(;|$)/i.test(type);
  }

  #follow(answer: Answer): void {
    this.#answer = answer;
    this.#body = '';
    this.#end = undefined;
    this.#isStalled = false;
    const decoder = new TextDecoder();
    const parser = createParser({
      onEvent: message => this.#take(message),
      onComment: comment => this.#comments.push(comment),
      onRetry: retry => {
        this.#retry = retry;
      },
    });
    const isStream = this.#isStream;
    const read = answer.read(bytes => {
      // It may have been left with this on its way.
      if (this.#answer !== answer || this.#end !== undefined) return;
      const text = decoder.decode(bytes, { stream: true });
      if (isStream) parser.feed(text);
      else if (this.#body.length < SHOWN) this.#body += text;
      this.#look();
    });
    read.then(isComplete => {
      if (this.#answer !== answer) return;
      this.#end ??= isComplete ? 'complete' : 'cut';
      this.#look();
    });
  }

  #take({ event = 'message', data, id }: EventSourceMessage): void {
    this.#lastEventId = id ?? this.#lastEventId;
    // A marker: it has an id to give, and nothing to say.
    if (event === 'tidings' && data === '') return;
    this.#events.push(receivedEvent(event, data, id));
  }

  #look(): void {
    for (const check of this.#waiting) check();
  }

  /** Resolves when a condition holds, or the time is up. */
  #until(condition: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const settle = () => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      const check = () => {
        if (condition()) settle();
      };
      const timer = setTimeout(settle, this.#timeout);
      this.#waiting.add(check);
      check();
    });
  }

  async #waitForEnd(late: Error): Promise<boolean> {
    await this.#until(() => this.#end !== undefined);
    if (this.#end !== undefined) return this.#end === 'complete';
    late.message = `the stream did not end within ${this.#limit}${this.#stalled}; ${soFar(this.#events)}`;
    late.stack = `Error: ${late.message}${late.stack?.slice('Error'.length)}`;
    throw late;
  }

  #whyNone(wanted: string): string {
    if (this.#closed !== undefined)
      return `the client was closed before the ${wanted}; ${soFar(this.#events)}`;
    if (this.#end === 'left')
      return `the client has left before the ${wanted}: reconnect(); ${soFar(this.#events)}`;
    if (this.status === 204) {
      return `the stream ended first (status 204: nothing more will come), before the ${wanted}; ${soFar(this.#events)}`;
    }
    if (!this.#isStream) {
      const type = this.headers.get('content-type') ?? 'without a content-type';
      const begin = JSON.stringify(this.#body.slice(0, SHOWN));
      return `the response is no event stream: ${this.status} ${type}, its body begins ${begin}`;
    }
    if (this.#end === undefined) {
      return `no ${wanted} within ${this.#limit}${this.#stalled}; ${soFar(this.#events)}`;
    }
    const how = this.#end === 'complete' ? 'ended' : 'was cut';
    return `the stream ${how} first, before the ${wanted}; ${soFar(this.#events)}`;
  }

  get #limit(): string {
    return `${this.#timeout / 1000} s`;
  }

  get #stalled(): string {
    return this.#isStalled ? ' (the client is stalled)' : '';
  }
}

function withLastEventId(given: Record<string, string> | undefined, id: string): Record<string, string> {
  const headers: Record<string, string> = { accept: 'text/event-stream' };
  for (const [name, value] of Object.entries(given ?? {})) headers[name.toLowerCase()] = value;
  // A header is bytes, and these are UTF-8.
  if (id !== '') headers['last-event-id'] = Buffer.from(id).toString('latin1');
  return headers;
}
