import { clientFile } from '@tidings/client/files';
import { type EventStream, type Hub, type StreamOptions, TidingsError } from '@tidings/core';
import { adapterHub, failStream, openStream, readBody, releaseResponse } from '@tidings/core/node';
import type { Context, Middleware, Next } from 'koa';

/** The method that `app.use(sse())` adds to every context. */
export interface SseContext {
  /**
   * `ctx.sse()` responds to the request with a stream. The stream stays open after the middleware has returned, until
   * it is closed or the client disconnects. Do not set `ctx.body`.
   *
   * All `subscribe` calls in the tick of the first one resume after the client's Last-Event-ID. Calls in a later tick
   * begin now.
   *
   * @param options the owner of the stream (`client`), headers, reconnection time and expiry. Default: none.
   * @throws {TidingsError} `already-open`: it was called before; `head-sent`: the response headers were sent already;
   *   `invalid-option`, naming the option.
   * @example
   * ```ts
   * app.use(async ctx => {
   *   const user = await userOf(ctx);
   *   ctx.sse({ client: user.id }).subscribe(`user:${user.id}`);
   * });
   * ```
   */
  sse<Data = unknown>(options?: StreamOptions<Data>): EventStream<Data>;
}

declare module 'koa' {
  interface ExtendableContext extends SseContext {}
}

/** The options of {@link sse}. */
export interface SseOptions {
  /** The hub of the streams. Default: a new hub. */
  hub?: Hub | undefined;
}

/** Middleware for Koa 2 and 3, with the hub of its streams. */
export interface SseMiddleware {
  (ctx: Context, next: Next): Promise<void>;
  readonly hub: Hub;
}

/** The options of `sse.control()`. */
export interface ControlOptions {
  /**
   * Returns the user who sent the request, the owner of the streams that it may change. Undefined: the response is 401.
   */
  client: (ctx: Context) => string | undefined | Promise<string | undefined>;
  /** The hub of the streams. Default: the hub of the middleware `sse()` before it. */
  hub?: Hub | undefined;
  /** Other origins whose pages may send the request, such as `https://app.example`. Default: none. */
  origins?: readonly string[] | undefined;
}

/** Whether `sse.control` was called. Streams then have the header `Tidings-Stream`. */
let isControlled = false;

/** The function `ctx.sse`, which has its hub as a property. */
interface Opener {
  readonly hub?: Hub;
}

/**
 * Creates middleware for the POST requests with which a page changes the channels of its open stream. The `client` of
 * the request must own the stream, and the hub must have `authorize`. After the first call, every stream with a
 * `client` has a header `Tidings-Stream` with its id.
 *
 * @example
 * ```ts
 * router.post('/events/control', sse.control({ client: async ctx => (await userOf(ctx)).id }));
 * ```
 */
function control({ client, hub, origins }: ControlOptions): Middleware {
  isControlled = true;
  return async ctx => {
    const streamHub = hub ?? (ctx.sse as Opener | undefined)?.hub;
    if (streamHub === undefined)
      throw new TidingsError(
        'invalid-option',
        'sse.control() has no hub: mount sse() before it, or pass `hub`',
      );
    const { status, body, headers } = await streamHub.control({
      method: ctx.method,
      header: name => ctx.req.headers[name] as string | undefined,
      client: await client(ctx),
      // A body parser may have read the body.
      body: (ctx.request as { body?: unknown }).body ?? (await readBody(ctx.req)),
      origins,
    });
    ctx.body = body;
    ctx.status = status;
    ctx.set(headers);
  };
}

/**
 * Maximum ms for which a stream waits for other middleware that sets headers and cookies after `next()`. A middleware
 * that awaits the end of its stream would return only after that end.
 */
const MAX_WAIT = 100;

/**
 * Creates middleware that adds {@linkcode SseContext.sse | ctx.sse()} to every context. Mount it first: the headers of
 * a stream are sent when the middleware after it has returned, or after 100 ms, so that sessions can set their cookies.
 *
 * @param options the `hub` of the streams. Default: a new hub with default options, as `sse().hub`.
 * @throws {TidingsError} `invalid-option`: an unknown option, or an argument that is not a plain object.
 */
export function sse(options: SseOptions = {}): SseMiddleware {
  const hub = adapterHub(options);
  const middleware = async (ctx: Context, next: Next) => {
    let stream: EventStream | undefined;
    let hasReturned = false;
    let begin: (() => void) | undefined;
    const open = <Data>(options?: StreamOptions<Data>) => {
      const beforeHeaders = () => {
        if (hasReturned) return undefined;
        return new Promise<void>(resolve => {
          begin = callWithin(MAX_WAIT, resolve);
        });
      };
      const opened = openStream(ctx.req, ctx.res, { ...options, hub, beforeHeaders });
      stream = opened;
      if (isControlled && stream.client !== undefined && hub.streams.has(stream)) {
        ctx.res.setHeader('Tidings-Stream', stream.id);
      }
      // Otherwise the status would be Koa's default of 404 until the headers are sent, and a middleware that handles
      // 404 after `next()` would replace the stream.
      ctx.status = 200;
      return opened;
    };
    ctx.sse = Object.assign(open, { hub });
    try {
      await next();
    } catch (error) {
      if (stream !== undefined && isLateHeader(ctx, error)) ctx.app.emit('error', error, ctx);
      // Before the headers, Koa sends the error as the response. After them, the stream ends.
      else if (failStream(ctx.res, error)) throw error;
    }
    // If a body was set meanwhile, Koa sends it as the response.
    const isReleased = ctx.body != null && releaseResponse(ctx.res);
    hasReturned = true;
    begin?.();
    begin = undefined;
    // When the middleware has returned, Koa sends a response.
    if (!isReleased) await stream?.closed;
  };
  return Object.assign(middleware, { hub });
}

/**
 * Creates a route for the files of @tidings/client, for pages without a bundler:
 * `import { connect } from '/tidings/client.js'`.
 *
 * @param path the folder of the files. Default: `/tidings`.
 */
function client(path = '/tidings'): (ctx: Context, next: Next) => Promise<void> {
  return async (ctx, next) => {
    const file = clientFile(ctx.path, path, ctx.headers['if-none-match']);
    if (file === undefined) return next();
    ctx.status = file.status;
    ctx.set(file.headers);
    if (file.status === 200) ctx.body = file.body;
  };
}

sse.client = client;

/** Calls a function after `ms`, or earlier when the returned function is called. */
function callWithin(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => {
    clearTimeout(timer);
    callback();
  };
}

/** Whether a middleware failed only because it set a header or a cookie after the stream had begun. */
function isLateHeader({ headerSent }: Context, error: unknown): boolean {
  return headerSent && (error as { code?: unknown } | null)?.code === 'ERR_HTTP_HEADERS_SENT';
}

sse.control = control;
