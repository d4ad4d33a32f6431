import { createHub, type EventStream, type Hub, type StreamOptions } from '@tidings/core';
import { openStream, releaseResponse } from '@tidings/core/node';
import type { Context, Next } from 'koa';

/** What `app.use(sse())` adds to every context. */
export interface SseContext {
  /**
   * `ctx.sse()` answers the request with a stream, which stays open when the middleware is through: until it is closed,
   * or its peer leaves. Leave `ctx.body` alone.
   *
   * What the client has seen counts for channels that are subscribed in the same turn: await what you need to know
   * before.
   *
   * @param options whom the stream belongs to, and how the request is answered.
   * @throws {TidingsError} `already-open`: at the second call; `head-sent`: the request has been answered;
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

export interface SseOptions {
  /** The hub of the streams. Default: one of the middleware's own. */
  hub?: Hub | undefined;
}

/** Middleware for Koa 2 and 3, and the hub that its streams belong to. */
export interface SseMiddleware {
  (ctx: Context, next: Next): Promise<void>;
  readonly hub: Hub;
}

/** Gives {@linkcode SseContext.sse | ctx.sse()} to every middleware after it: mount it first. Without a hub it makes one. */
export function sse({ hub = createHub() }: SseOptions = {}): SseMiddleware {
  /** The streams whose handlers have not returned. */
  const streams = new WeakMap<Context, EventStream>();
  // One function for all contexts, since each closure would be kept for as long as its stream is open.
  function open(this: Context, options?: StreamOptions): EventStream {
    const stream = openStream(this.req, this.res, { ...options, hub });
    streams.set(this, stream);
    return stream;
  }
  const middleware = async (ctx: Context, next: Next) => {
    ctx.sse = open;
    try {
      await next();
    } catch (error) {
      // The error is the response if there is none yet, and otherwise ends it.
      if (!releaseResponse(ctx.res)) streams.get(ctx)?.close();
      throw error;
    }
    if (!streams.delete(ctx)) return;
    // A body that was set meanwhile is a response, and only one can be sent.
    if (ctx.body != null && releaseResponse(ctx.res)) return;
    // Koa responds by itself once its middleware has returned. Waiting for the stream would prevent that as well, but
    // it retains the promises and closures of every middleware: 1.3 KB for each open stream.
    ctx.respond = false;
    // Koa begins with 404, and middleware that was mounted before would take the request for one that nobody handled.
    if (!ctx.headerSent) ctx.status = 200;
  };
  return Object.assign(middleware, { hub });
}
