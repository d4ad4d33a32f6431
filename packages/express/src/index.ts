import { clientFile } from '@tidings/client/files';
import { type EventStream, type Hub, type StreamOptions, TidingsError } from '@tidings/core';
import { adapterHub, failStream, openStream, readBody } from '@tidings/core/node';
import type { NextFunction, Request, RequestHandler, Response } from 'express';

/** The method that `app.use(sse())` adds to every response. */
export interface SseResponse {
  /**
   * `res.sse()` responds to the request with a stream. The stream stays open after the handler has returned, until it
   * is closed or the client disconnects.
   *
   * All `subscribe` calls in the tick of the first one resume after the client's Last-Event-ID. Calls in a later tick
   * begin now.
   *
   * @param options the owner of the stream (`client`), headers, reconnection time and expiry. Default: none.
   * @throws {TidingsError} `already-open`: it was called before; `head-sent`: the response headers were sent already;
   *   `invalid-option`, naming the option.
   * @example
   * ```ts
   * app.get('/notifications', async (req, res) => {
   *   const user = await userOf(req);
   *   res.sse({ client: user.id }).subscribe(`user:${user.id}`);
   * });
   * ```
   */
  sse<Data = unknown>(options?: StreamOptions<Data>): EventStream<Data>;
}

declare global {
  namespace Express {
    interface Response extends SseResponse {}
  }
}

/** The options of {@link sse}. */
export interface SseOptions {
  /** The hub of the streams. Default: a new hub. */
  hub?: Hub | undefined;
}

/** Middleware for Express 4 and 5, with the hub of its streams. */
export interface SseMiddleware {
  (req: Request, res: Response, next: NextFunction): void;
  readonly hub: Hub;
}

/**
 * Wraps a handler whose promise rejects when its stream closes, for example because it awaits
 * `sleep(1_000, undefined, { signal })`. Express 4 ends the process at a rejected promise, and Express 5 reports it.
 * The wrapper passes all errors to `next`, except the AbortError of a stream that has closed.
 *
 * @example
 * ```ts
 * app.get('/time', sse.handler(async (_req, res) => {
 *   const stream = res.sse();
 *   while (stream.send(new Date())) await setTimeout(1_000, undefined, { signal: stream.signal });
 * }));
 * ```
 */
function handler(handle: (req: Request, res: Response, next: NextFunction) => unknown): RequestHandler {
  return async (req, res, next) => {
    try {
      await handle(req, res, next);
    } catch (error) {
      if (failStream(res, error)) next(error);
    }
  };
}

/** The options of `sse.control()`. */
export interface ControlOptions {
  /**
   * Returns the user who sent the request, the owner of the streams that it may change. Undefined: the response is 401.
   */
  client: (req: Request) => string | undefined | Promise<string | undefined>;
  /** The hub of the streams. Default: the hub of the middleware `sse()` before it. */
  hub?: Hub | undefined;
  /** Other origins whose pages may send the request, such as `https://app.example`. Default: none. */
  origins?: readonly string[] | undefined;
}

/** Whether `sse.control` was called. Streams then have the header `Tidings-Stream`. */
let isControlled = false;

/** The function `res.sse`, which has its hub as a property. */
interface Opener {
  readonly hub?: Hub;
}

/**
 * Creates a handler for the POST requests with which a page changes the channels of its open stream. The `client` of
 * the request must own the stream, and the hub must have `authorize`. After the first call, every stream with a
 * `client` has a header `Tidings-Stream` with its id.
 *
 * @example
 * ```ts
 * app.post('/events/control', sse.control({ client: async req => (await userOf(req)).id }));
 * ```
 */
function control({ client, hub, origins }: ControlOptions): RequestHandler {
  isControlled = true;
  return async (req, res, next) => {
    try {
      const streamHub = hub ?? (res.sse as Opener | undefined)?.hub;
      if (streamHub === undefined)
        throw new TidingsError(
          'invalid-option',
          'sse.control() has no hub: mount sse() before it, or pass `hub`',
        );
      const { status, body, headers } = await streamHub.control({
        method: req.method,
        header: name => req.headers[name] as string | undefined,
        client: await client(req),
        body: req.body ?? (await readBody(req)),
        origins,
      });
      res.status(status).set(headers);
      if (body === undefined) res.end();
      else res.json(body);
    } catch (error) {
      next(error);
    }
  };
}

/**
 * Creates a route for the files of @tidings/client, for pages without a bundler:
 * `import { connect } from '/tidings/client.js'`.
 *
 * @param path the folder of the files. Default: `/tidings`.
 */
function client(path = '/tidings'): RequestHandler {
  return (req, res, next) => {
    const file = clientFile(req.path, path, req.headers['if-none-match']);
    if (file === undefined) next();
    else res.writeHead(file.status, file.headers).end(file.body);
  };
}

/**
 * Creates middleware that adds {@linkcode SseResponse.sse | res.sse()} to every response.
 *
 * @param options the `hub` of the streams. Default: a new hub with default options, as `sse().hub`.
 * @throws {TidingsError} `invalid-option`: an unknown option, or an argument that is not a plain object.
 */
export function sse(options: SseOptions = {}): SseMiddleware {
  const hub = adapterHub(options);
  // One function for all responses, because a closure for each would stay in memory while its stream is open. It is set
  // on each response, not on the application's `response`. So with several applications, hubs and mount paths, the last
  // middleware that ran takes effect, and a response without this middleware has no `sse`.
  function open<Data>(this: Response, options?: StreamOptions<Data>): EventStream<Data> {
    const stream = openStream(this.req, this, { ...options, hub });
    if (isControlled && stream.client !== undefined && hub.streams.has(stream)) {
      this.setHeader('Tidings-Stream', stream.id);
    }
    return stream;
  }
  open.hub = hub;
  const middleware = (_req: Request, res: Response, next: NextFunction) => {
    res.sse = open;
    next();
  };
  return Object.assign(middleware, { hub });
}

sse.handler = handler;
sse.client = client;
sse.control = control;
