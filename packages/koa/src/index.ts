import { createHub, type EventStream, type Hub, type StreamOptions } from '@tidings/core';
import { failStream, openStream, releaseResponse } from '@tidings/core/node';
import type { Context, Next } from 'koa';

/** The method that `app.use(sse())` adds to every context. */
export interface SseContext {
  /**
   * `ctx.sse()` answers the request with a stream. It stays open after the middleware has returned, until it is closed
   * or the client disconnects. Do not set `ctx.body`.
   *
   * All `subscribe` calls in the tick of the first one resume after the client's Last-Event-ID. Later calls begin now.
   *
   * @param options the owner of the stream (`client`), headers, reconnection time and expiry. Default: none of these.
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
  sse(options?: StreamOptions): EventStream;
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

/**
 * Creates middleware that adds {@linkcode SseContext.sse | ctx.sse()} to every context. Mount it first.
 *
 * @param options the `hub` of the streams. Default: a new hub with default options, as `sse().hub`.
 */
export function sse({ hub = createHub() }: SseOptions = {}): SseMiddleware {
  const middleware = async (ctx: Context, next: Next) => {
    let stream: EventStream | undefined;
    ctx.sse = options => {
      stream = openStream(ctx.req, ctx.res, { ...options, hub });
      return stream;
    };
    try {
      await next();
    } catch (error) {
      // Before the headers, Koa sends the error as the response. After them, the stream ends.
      if (failStream(ctx.res, error)) throw error;
    }
    // If a body was set meanwhile, Koa sends that as the response.
    const isReleased = ctx.body != null && releaseResponse(ctx.res);
    // Koa sends a response when its middleware has returned.
    if (!isReleased) await stream?.closed;
  };
  return Object.assign(middleware, { hub });
}
