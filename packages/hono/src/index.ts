import { clientFile } from '@tidings/client/files';
import { type EventStream, type Hub, type StreamOptions, TidingsError } from '@tidings/core';
import {
  adapterHub,
  type FetchConnection,
  type NodeRequest,
  type NodeResponse,
  nodeConnection,
  streamResponse,
} from '@tidings/core/fetch';
import type { Context, Handler, MiddlewareHandler } from 'hono';

/** The variable that `app.use(sse())` adds to every context. A type, because Hono before 4.5 accepts no interface. */
export type SseVariables = {
  /**
   * `c.var.sse()` responds to the request with a stream. Return its result from the route. The stream stays open after
   * the handler has returned, until it is closed or the client disconnects.
   *
   * All `subscribe` calls in the tick of the first one resume after the client's Last-Event-ID. Calls in a later tick
   * begin now.
   *
   * @param handler receives the stream. It is not called for a HEAD request, nor for a stream that is refused.
   * @param options the owner of the stream (`client`), headers, reconnection time and expiry. Default: none.
   * @returns a promise of the Response. Rejects with the handler's error if it fails before the headers are sent, so
   *   that `app.onError` receives it; with a TidingsError `already-open` if it was called before, or `invalid-option`,
   *   naming the option.
   * @example
   * ```ts
   * app.get('/notifications', async c => {
   *   const user = await userOf(c);
   *   return c.var.sse(stream => stream.subscribe(`user:${user.id}`), { client: user.id });
   * });
   * ```
   */
  sse<Data = unknown>(
    handler: (stream: EventStream<Data>) => unknown,
    options?: StreamOptions<Data>,
  ): Promise<Response>;
};

declare module 'hono' {
  interface ContextVariableMap extends SseVariables {}
}

/** The options of {@link sse}. */
export interface SseOptions {
  /** The hub of the streams. Default: a new hub. */
  hub?: Hub | undefined;
}

/** Middleware for Hono 4, with the hub of its streams. */
export type SseMiddleware = MiddlewareHandler<{ Variables: SseVariables }> & { readonly hub: Hub };

/** The options of `sse.control()`. */
export interface ControlOptions {
  /**
   * Returns the user who sent the request, the owner of the streams that it may change. Undefined: the response is 401.
   */
  client: (c: Context) => string | undefined | Promise<string | undefined>;
  /** The hub of the streams. Default: the hub of the middleware `sse()` before it. */
  hub?: Hub | undefined;
  /** Other origins whose pages may send the request, such as `https://app.example`. Default: none. */
  origins?: readonly string[] | undefined;
}

/** Whether `sse.control` was called. Streams then have the header `Tidings-Stream`. */
let isControlled = false;

/** The function `c.var.sse`, which has its hub as a property. */
interface Opener {
  readonly hub?: Hub;
}

/** Maximum bytes of the body of a request for `sse.control`. */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * Creates a handler for the POST requests with which a page changes the channels of its open stream. The `client` of
 * the request must own the stream, and the hub must have `authorize`. After the first call, every stream with a
 * `client` has a header `Tidings-Stream` with its id.
 *
 * @example
 * ```ts
 * app.post('/events/control', sse.control({ client: async c => (await userOf(c)).id }));
 * ```
 */
function control({ client, hub, origins }: ControlOptions): Handler {
  isControlled = true;
  return async c => {
    const streamHub = hub ?? (c.var.sse as Opener | undefined)?.hub;
    if (streamHub === undefined)
      throw new TidingsError(
        'invalid-option',
        'sse.control() has no hub: mount sse() before it, or pass `hub`',
      );
    const isLarge = Number(c.req.header('content-length') ?? 0) > MAX_BODY_BYTES;
    const { status, body, headers } = await streamHub.control({
      method: c.req.method,
      header: name => c.req.header(name) ?? (name === 'host' ? new URL(c.req.url).host : undefined),
      client: await client(c),
      body: isLarge ? undefined : await c.req.text(),
      origins,
    });
    const init = { status, headers };
    return body === undefined ? new Response(null, init) : Response.json(body, init);
  };
}

/** Headers that other middleware may have set, and that are invalid for a stream. */
const REMOVED_HEADERS = ['content-length', 'content-encoding', 'etag'];

/**
 * Creates middleware that adds {@linkcode SseVariables.sse | c.var.sse()} to every context.
 *
 * @param options the `hub` of the streams. Default: a new hub with default options, as `sse().hub`.
 * @throws {TidingsError} `invalid-option`: an unknown option, or an argument that is not a plain object.
 */
export function sse(options: SseOptions = {}): SseMiddleware {
  const hub = adapterHub(options);
  const middleware: MiddlewareHandler<{ Variables: SseVariables }> = async (c, next) => {
    const open: SseVariables['sse'] = async (handler, options) => {
      const response = await streamResponse(c.req.raw, withIdHeader(handler, c), {
        ...options,
        hub,
        connection: connectionOf(c.env),
      });
      if (c.finalized) {
        // Another response was set meanwhile, so the body of this one is not read.
        await response.body?.cancel();
        return response;
      }
      for (const name of REMOVED_HEADERS) c.header(name, undefined);
      const vary = response.headers.get('vary');
      if (vary !== null) {
        // The headers of a response would replace those of the context, where `cors()` has set `Vary: Origin`.
        response.headers.delete('vary');
        c.header('vary', vary, { append: true });
      }
      // The context adds the headers that were set with `c.header()`.
      return c.newResponse(response.body, response);
    };
    c.set('sse', Object.assign(open, { hub }));
    await next();
  };
  return Object.assign(middleware, { hub });
}

/**
 * Creates a route for the files of @tidings/client, for pages without a bundler:
 * `import { connect } from '/tidings/client.js'`.
 *
 * @param path the folder of the files. Default: `/tidings`.
 */
function client(path = '/tidings'): MiddlewareHandler {
  return async (c, next) => {
    const file = clientFile(c.req.path, path, c.req.header('if-none-match'));
    if (file === undefined) return next();
    return c.newResponse(file.status === 200 ? file.body : null, file.status, file.headers);
  };
}

sse.client = client;

/** Wraps a handler. If the id of the stream can be used with `sse.control`, sets the header `Tidings-Stream` first. */
function withIdHeader<Data>(handler: (stream: EventStream<Data>) => unknown, c: Context) {
  return (stream: EventStream<Data>) => {
    if (isControlled && stream.client !== undefined) c.header('Tidings-Stream', stream.id);
    return handler(stream);
  };
}

/** The connection of a request, if the server is @hono/node-server. */
function connectionOf(env: unknown): FetchConnection | undefined {
  const { incoming, outgoing } = (env ?? {}) as { incoming?: NodeRequest; outgoing?: NodeResponse };
  return incoming && outgoing && nodeConnection(incoming, outgoing);
}

sse.control = control;
