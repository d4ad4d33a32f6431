import { createDeferred } from './base/deferred.ts';
import { TidingsError } from './base/errors.ts';
import { cut, hangUp, isClosed, type NodeRequest, type NodeResponse } from './connection.ts';

import type { Hub } from './hub/hub.ts';
import type { Frame } from './protocol/frame.ts';
import type { EventStream, StreamOptions } from './stream/event-stream.ts';
import type { Transport } from './stream/transport.ts';

export type { NodeRequest, NodeResponse };

export interface StreamResponseOptions extends StreamOptions {
  /** The hub that the stream belongs to. */
  hub: Hub;
  /** What the server that runs this lets be done to the request's connection. Default: nothing. */
  connection?: FetchConnection | undefined;
}

/** The connection behind a web Request, where there is a way to it. */
export interface FetchConnection {
  /** Has it end with the response, so that the client comes back on another. May be called again. */
  hangUp(): void;
  /** Ends it at once. */
  destroy(): void;
  /** The response is over already; absent counts as false. */
  readonly closed?: boolean;
  /**
   * Calls back when the response is over. With it, the stream does not read the request's `signal`, nor the `body` of a
   * GET or HEAD request: @hono/node-server makes a whole Request for either, which takes 5 KB for as long as the stream
   * is open.
   */
  onClose?(listener: () => void): void;
}

/** The connection of a web Request that stands for one of Node's, as @hono/node-server makes them. */
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

/** Bytes that a response holds before its stream counts as full. */
const FULL = 64 * 1024;

const answered = new WeakSet<Request>();

/**
 * Answers a web Request with a stream. The Response comes with the first event, or within two turns of
 * the event loop. It does not wait for the handler to return, and the stream stays open when it has.
 *
 * Read the request's body before, or begin to in the same turn: what nobody reads is discarded.
 *
 * @param handler is given the stream. It is not called for a HEAD request, nor for a stream that is refused.
 * @returns rejects with what the handler throws, or rejects with, while there is no Response; later that goes
 *   to the hub's `onError`, and the stream closes. Rejects with a TidingsError `already-open` at the second call
 *   for a request, and `invalid-option`, naming the option.
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
      // How most handlers stop when the stream does.
      if (!transport.closed || (error as { name?: unknown } | null)?.name !== 'AbortError')
        transport.fail(error);
    });
  }
  return promise;
}

/** A rejected promise stands for what the handler has thrown. */
type Answer = Response | Promise<Response>;

class FetchTransport implements Transport {
  onDrain: (() => void) | undefined;
  onClose: (() => void) | undefined;
  onFail: ((error: unknown) => void) | undefined;
  /** Called when it is known what the answer is, and dropped then: it retains its promise, and that the Response. */
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
      // With 0, `pull` is called when a reader waits and all has been taken, and not with each chunk besides.
      new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
    );
    // Some servers cancel the body when the peer leaves, some abort the signal, some do both. A body that
    // failed would be worth a line in the log to them; a peer that left is not.
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

  /** After `close()`, the controller would not tell when the last bytes are taken: so that comes only then. */
  end(isLast = false): void {
    if (isLast) this.#connection?.hangUp();
    this.#ending = true;
    if (this.bufferedBytes === 0) this.#finish();
  }

  destroy(): void {
    if (this.closed) return;
    // With the connection gone, the server cancels the body; a body that fails is worth a line in its log.
    if (this.#connection !== undefined) this.#connection.destroy();
    else this.#controller.error(new Error('this event stream was cut before its end'));
    this.#leave();
  }

  /** The handler has failed: before the head that is the answer, after it the end. */
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
    // Nobody will see this answer, but somebody waits for it.
    if (this.#state === 'waiting') this.#answer(new Response(null, { status: CLIENT_CLOSED_REQUEST }));
    this.#state = 'over';
    if (this.#onAbort !== undefined) this.#request.signal.removeEventListener('abort', this.#onAbort);
    this.onClose?.();
  }
}

/** Behind a body that nobody reads, a server may not see that the peer has gone. */
function discardBody({ body, bodyUsed }: Request): void {
  if (body === null || bodyUsed || body.locked) return;
  // That it breaks off is what it is read for.
  body.pipeTo(new WritableStream()).catch(() => {});
}

/** What nginx writes into its log for a client that left before the answer. */
const CLIENT_CLOSED_REQUEST = 499;
