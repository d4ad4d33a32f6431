import { createDeferred } from './base/deferred.ts';
import { TidingsError } from './base/errors.ts';
import { cut, hangUp, isClosed, type NodeRequest, type NodeResponse } from './connection.ts';

import type { Hub } from './hub/hub.ts';
import type { Frame } from './protocol/frame.ts';
import type { EventStream, StreamOptions } from './stream/event-stream.ts';
import type { Transport } from './stream/transport.ts';

export type { NodeRequest, NodeResponse };

/** The options of {@link streamResponse}. */
export interface StreamResponseOptions extends StreamOptions {
  /** The hub of the stream. */
  hub: Hub;
  /** The connection of the request, if the server gives access to it. Default: none. */
  connection?: FetchConnection | undefined;
}

/** The connection of a web Request, on servers that give access to it. */
export interface FetchConnection {
  /** Closes the connection after the response, so that the client reconnects on another one. May be called again. */
  hangUp(): void;
  /** Aborts the connection. */
  destroy(): void;
  /** Whether the response is over already. Default: false. */
  readonly closed?: boolean;
  /**
   * Calls the listener when the response is over. If it is present, the stream does not read the request's `signal`,
   * nor the `body` of a GET or HEAD request: @hono/node-server creates a whole Request for either, which takes 5 KB for
   * as long as the stream is open.
   */
  onClose?(listener: () => void): void;
}

/** Returns the connection of a web Request that was created from a request of Node.js, as by @hono/node-server. */
export function nodeConnection(req: NodeRequest, res: NodeResponse): FetchConnection {
  return new NodeConnection(req, res);
}

class NodeConnection implements FetchConnection {
  readonly #req: NodeRequest;
  readonly #res: NodeResponse;

  constructor(req: NodeRequest, res: NodeResponse) {
    this.#req = req;
    this.#res = res;
  }

  get closed(): boolean {
    return isClosed(this.#req, this.#res);
  }

  onClose(listener: () => void): void {
    this.#res.on('close', listener);
  }

  hangUp(): void {
    hangUp(this.#req, this.#res);
  }

  destroy(): void {
    cut(this.#req, this.#res);
  }
}

/** The high-water mark of a response, in bytes. */
const FULL = 64 * 1024;

const answered = new WeakSet<Request>();

/**
 * Opens a stream as the response to a web Request. Resolves with the Response at the first event, or after two turns of
 * the event loop. It does not wait for the handler to return, and the stream stays open afterwards.
 *
 * Read the request's body before, or begin to in the same tick. A body that nobody reads is discarded.
 *
 * @param handler receives the stream. It is not called for a HEAD request, nor for a stream that is refused.
 * @returns rejects with the handler's error if it fails before there is a Response; later errors go to the hub's
 *   `onError`, and the stream closes. Rejects with a TidingsError `already-open` at the second call for a request, and
 *   `invalid-option`, naming the option.
 */
export async function streamResponse(
  request: Request,
  handler: (stream: EventStream) => unknown,
  options: StreamResponseOptions,
): Promise<Response> {
  const { hub, connection, ...streamOptions } = options;
  if (answered.has(request)) {
    throw new TidingsError(
      'already-open',
      'this request has a stream already: use the one its handler was given',
    );
  }
  const { promise, resolve } = createDeferred<Answer>();
  const transport = new FetchTransport(request, connection, resolve);
  const { method, url, headers } = request;
  const stream = hub.open(
    transport,
    { method, url, lastEventId: headers.get('last-event-id') },
    streamOptions,
  );
  answered.add(request);
  if (hub.streams.has(stream)) {
    (async () => handler(stream))().catch(error => {
      // Most handlers stop with an AbortError when the stream closes.
      if (!transport.closed || (error as { name?: unknown } | null)?.name !== 'AbortError')
        transport.fail(error);
    });
  }
  return promise;
}

/** A rejected promise has the error of the handler. */
type Answer = Response | Promise<Response>;

class FetchTransport implements Transport {
  onDrain: (() => void) | undefined;
  onClose: (() => void) | undefined;
  onFail: ((error: unknown) => void) | undefined;
  /** Called once with the response, then dropped: it retains its promise, and the promise retains the Response. */
  #respond: ((answer: Answer) => void) | undefined;
  readonly #body: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #state: 'waiting' | 'open' | 'over' = 'waiting';
  readonly #request: Request;
  readonly #connection: FetchConnection | undefined;
  #full = false;
  #ending = false;
  #onAbort: (() => void) | undefined;

  constructor(request: Request, connection: FetchConnection | undefined, respond: (answer: Answer) => void) {
    this.#request = request;
    this.#connection = connection;
    this.#respond = respond;
    this.#body = new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => this.#leave(),
      },
      // With 0, `pull` is called only when the server waits for a chunk and the queue is empty, not after each chunk.
      new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
    );
    // When the client disconnects, some servers cancel the body, some abort the signal, some do both. The body is
    // closed and not errored, because servers log a body that fails.
    const onGone = () => this.#finish();
    if (connection?.onClose !== undefined) {
      if (connection.closed) this.#leave();
      else connection.onClose(onGone);
    } else if (request.signal.aborted) {
      this.#leave();
    } else {
      this.#onAbort = onGone;
      request.signal.addEventListener('abort', onGone);
    }
  }

  get closed(): boolean {
    return this.#state === 'over';
  }

  get bufferedBytes(): number {
    return this.closed ? 0 : -(this.#controller.desiredSize ?? 0);
  }

  open(status: number, headers: Record<string, string>, isLast = false): void {
    if (this.closed) return;
    if (isLast) this.#connection?.hangUp();
    this.#state = 'open';
    if (this.#mayHaveBody) discardBody(this.#request);
    this.#answer(new Response(status === 204 ? null : this.#body, { status, headers }));
  }

  write(frame: Frame): boolean {
    if (this.closed) return true;
    this.#controller.enqueue(frame.bytes);
    this.#full = this.bufferedBytes >= FULL;
    return !this.#full;
  }

  /** The controller is closed when the last bytes were read: after `close()`, it does not report that any more. */
  end(isLast = false): void {
    if (isLast) this.#connection?.hangUp();
    this.#ending = true;
    if (this.bufferedBytes === 0) this.#finish();
  }

  destroy(): void {
    if (this.closed) return;
    // When the connection is destroyed, the server cancels the body. A body that fails is logged by most servers.
    if (this.#connection !== undefined) this.#connection.destroy();
    else this.#controller.error(new Error('this event stream was cut before its end'));
    this.#leave();
  }

  /** The handler has failed. Before the headers, its error is the response; after them, the stream ends. */
  fail(error: unknown): void {
    if (this.#state === 'waiting') {
      this.#state = 'over';
      this.#answer(Promise.reject(error));
      this.onFail?.(new TidingsError('head-sent', 'the request has been answered with an error instead'));
    } else {
      this.onFail?.(
        error ?? new Error('the handler of an event stream has failed, and does not say with what'),
      );
    }
  }

  get #mayHaveBody(): boolean {
    const { method } = this.#request;
    return this.#connection?.onClose === undefined || (method !== 'GET' && method !== 'HEAD');
  }

  #answer(answer: Answer): void {
    this.#respond?.(answer);
    this.#respond = undefined;
  }

  #pull(): void {
    if (this.#ending && this.bufferedBytes === 0) {
      this.#finish();
    } else if (this.#full) {
      this.#full = false;
      this.onDrain?.();
    }
  }

  #finish(): void {
    if (this.closed) return;
    this.#controller.close();
    this.#leave();
  }

  #leave(): void {
    if (this.closed) return;
    // The client does not receive this response, but the caller waits for it.
    if (this.#state === 'waiting') this.#answer(new Response(null, { status: CLIENT_CLOSED_REQUEST }));
    this.#state = 'over';
    if (this.#onAbort !== undefined) this.#request.signal.removeEventListener('abort', this.#onAbort);
    this.onClose?.();
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
