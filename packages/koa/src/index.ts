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
  const middleware = async (ctx: Context, next: Next) => {
    let stream: EventStream | undefined;
    ctx.sse = options => {
      stream = openStream(ctx.req, ctx.res, { ...options, hub });
      return stream;
    };
    try {
      await next();
    } catch (error) {
      // The error is the answer if there is none yet, and else the end of it.
      if (!releaseResponse(ctx.res)) stream?.close();
      throw error;
    }
    // A body that was set meanwhile is an answer, and only one can be given.
    const isAnswered = ctx.body != null && releaseResponse(ctx.res);
    // Koa answers by itself once its middleware is through.
    if (!isAnswered) await stream?.closed;
  };
  return Object.assign(middleware, { hub });
}
