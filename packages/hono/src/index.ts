import { createHub, type EventStream, type Hub, type StreamOptions } from '@tidings/core';
import {
  type FetchConnection,
  type NodeRequest,
  type NodeResponse,
  nodeConnection,
  streamResponse,
} from '@tidings/core/fetch';
import type { MiddlewareHandler } from 'hono';

/** What `app.use(sse())` adds to the variables of every context. No interface: Hono before 4.5 would not take it. */
export type SseVariables = {
  /**
   * `c.var.sse()` answers the request with a stream; return what it returns. The stream stays open when the handler has
   * returned: until it is closed, or its peer leaves.
   *
   * What the client has seen counts for channels that are subscribed in the same turn: await what you need to know
   * before.
   *
   * @param handler is given the stream. It is not called for a HEAD request, nor for a stream that is refused.
   * @param options whom the stream belongs to, and how the request is answered.
   * @returns rejects with what the handler throws before there is an answer, so that `app.onError` sees it; with
   *   a TidingsError `already-open` at the second call, or `invalid-option`, naming the option.
   * @example
   * ```ts
   * app.get('/notifications', async c => {
   *   const user = await userOf(c);
   *   return c.var.sse(stream => stream.subscribe(`user:${user.id}`), { client: user.id });
   * });
   * ```
   */
  sse(handler: (stream: EventStream) => unknown, options?: StreamOptions): Promise<Response>;
};

declare module 'hono' {
  interface ContextVariableMap extends SseVariables {}
}

export interface SseOptions {
  /** The hub of the streams. Default: one of the middleware's own. */
  hub?: Hub | undefined;
}

/** Middleware for Hono 4, and the hub that its streams belong to. */
export type SseMiddleware = MiddlewareHandler<{ Variables: SseVariables }> & { readonly hub: Hub };

/** Headers that other middleware may have set, and that are not true of a stream. */
const BREAKING = ['content-length', 'content-encoding', 'etag'];

/** Gives {@linkcode SseVariables.sse | c.var.sse()} to every handler after it. Without a hub it makes one. */
export function sse({ hub = createHub() }: SseOptions = {}): SseMiddleware {
  const middleware: MiddlewareHandler<{ Variables: SseVariables }> = async (c, next) => {
    c.set('sse', async (handler, options) => {
      const response = await streamResponse(c.req.raw, handler, {
        ...options,
        hub,
        connection: connectionOf(c.env),
      });
      if (c.finalized) {
        // Something else has answered meanwhile, so nobody will read this.
        await response.body?.cancel();
        return response;
      }
      for (const name of BREAKING) c.header(name, undefined);
      // Through the context, which adds what was set with `c.header()`.
      return c.newResponse(response.body, response);
    });
    await next();
  };
  return Object.assign(middleware, { hub });
}

/** What @hono/node-server tells of the connection; undefined on other servers. */
function connectionOf(env: unknown): FetchConnection | undefined {
  const { incoming, outgoing } = (env ?? {}) as { incoming?: NodeRequest; outgoing?: NodeResponse };
  return incoming && outgoing && nodeConnection(incoming, outgoing);
}
