import { TidingsError } from '../base/errors.ts';
import type { Frame } from '../protocol/frame.ts';
import type { Transport, TransportListener } from '../stream/transport.ts';
import type { FetchConnection } from './fetch-connection.ts';

/** A rejected promise has the error of the handler. */
export type EventualResponse = Response | Promise<Response>;

/** The high-water mark of a response, in bytes. */
const HIGH_WATER_MARK = 64 * 1024;

/** A web Response whose body is the stream. */
export class FetchTransport implements Transport {
  listener: TransportListener | undefined;
  /** Called once with the response, then dropped: it retains its promise, and the promise retains the Response. */
  #respond: ((response: EventualResponse) => void) | undefined;
  readonly #body: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #state: 'waiting' | 'open' | 'over' = 'waiting';
  readonly #request: Request;
  readonly #connection: FetchConnection | undefined;
  #isFull = false;
  #ending: 'complete' | 'incomplete' | undefined;
  /** The server waits for a chunk, and has written all that it was given. */
  #isPulled = false;
  #onAbort: (() => void) | undefined;

  constructor(
    request: Request,
    connection: FetchConnection | undefined,
    respond: (response: EventualResponse) => void,
  ) {
    this.#request = request;
    this.#connection = connection;
    this.#respond = respond;
    this.#body = new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => this.#close(),
      },
      // With 0, `pull` is called only when the server waits for a chunk and the queue is empty, not after each chunk.
      new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
    );
    // When the client disconnects, some servers cancel the body, some abort the signal, some do both. The body is
    // closed and not errored, because servers log a body that fails.
    const onDisconnect = () => this.#finish();
    if (connection?.onClose !== undefined) {
      if (connection.closed) this.#close();
      else connection.onClose(onDisconnect);
    } else if (request.signal.aborted) {
      this.#close();
    } else {
      this.#onAbort = onDisconnect;
      request.signal.addEventListener('abort', onDisconnect);
    }
  }

  get closed(): boolean {
    return this.#state === 'over';
  }

  get request(): { url: string; protocol: string } {
    const { pathname, search } = new URL(this.#request.url);
    return { url: pathname + search, protocol: 'fetch' };
  }

  get bufferedBytes(): number {
    return this.closed ? 0 : -(this.#controller.desiredSize ?? 0);
  }

  open(status: number, headers: Record<string, string>, closesConnection = false): void {
    if (this.closed) return;
    if (closesConnection) this.#connection?.closeConnectionAfter();
    this.#state = 'open';
    if (this.#mayHaveBody) discardBody(this.#request);
    this.#settle(new Response(status === 204 ? null : this.#body, { status, headers }));
  }

  write(frame: Frame): boolean {
    if (this.closed) return true;
    this.#isPulled = false;
    this.#controller.enqueue(frame.bytes);
    this.#isFull = this.bufferedBytes >= HIGH_WATER_MARK;
    return !this.#isFull;
  }

  /** The controller is closed when the last bytes were read: after `close()`, it does not report that any more. */
  end(closesConnection = false): void {
    if (closesConnection) this.#connection?.closeConnectionAfter();
    this.#ending ??= 'complete';
    if (this.bufferedBytes === 0) this.#finish();
  }

  endIncomplete(): void {
    if (this.closed) return;
    this.#ending = 'incomplete';
    if (this.#isPulled) this.#break();
  }

  /** Everything was written. */
  #break(): void {
    const connection = this.#connection;
    if (connection?.endIncomplete === undefined) {
      this.destroy();
      return;
    }
    connection.endIncomplete();
    // Otherwise, it calls back when the response is over.
    if (connection.onClose === undefined) this.#close();
  }

  destroy(): void {
    if (this.closed) return;
    // When the connection is destroyed, the server cancels the body. A body that fails is logged by most servers.
    if (this.#connection !== undefined) this.#connection.destroy();
    else this.#controller.error(new Error('the event stream was aborted before its end'));
    this.#close();
  }

  /** The handler has failed. Before the headers, its error is the response; after them, the stream ends. */
  fail(error: unknown): void {
    if (this.#state === 'waiting') {
      this.#state = 'over';
      this.#settle(Promise.reject(error));
      this.listener?.failed(
        new TidingsError(
          'head-sent',
          'the handler failed before the headers were sent, so the response is its error',
        ),
      );
    } else {
      this.listener?.failed(error ?? new Error('the handler of an event stream failed without an error'));
    }
  }

  get #mayHaveBody(): boolean {
    const { method } = this.#request;
    return this.#connection?.onClose === undefined || (method !== 'GET' && method !== 'HEAD');
  }

  #settle(response: EventualResponse): void {
    this.#respond?.(response);
    this.#respond = undefined;
  }

  #pull(): void {
    this.#isPulled = true;
    if (this.#ending === 'incomplete') {
      this.#break();
    } else if (this.#ending !== undefined && this.bufferedBytes === 0) {
      this.#finish();
    } else if (this.#isFull) {
      this.#isFull = false;
      this.listener?.drained();
    }
  }

  #finish(): void {
    if (this.closed) return;
    this.#controller.close();
    this.#close();
  }

  #close(): void {
    if (this.closed) return;
    // The client does not receive this response, but the caller waits for it.
    if (this.#state === 'waiting') this.#settle(new Response(null, { status: CLIENT_CLOSED_REQUEST }));
    this.#state = 'over';
    if (this.#onAbort !== undefined) this.#request.signal.removeEventListener('abort', this.#onAbort);
    this.listener?.closed();
  }
}

/** While the body is not read, a server may not notice that the client has disconnected. */
function discardBody({ body, bodyUsed }: Request): void {
  if (body === null || bodyUsed || body.locked) return;
  // It rejects when the client disconnects, which is why it is read.
  body.pipeTo(new WritableStream()).catch(() => {});
}

/** The status that nginx logs for a client that disconnected before the response. */
const CLIENT_CLOSED_REQUEST = 499;
