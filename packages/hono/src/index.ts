import { clientFile } from '@tidings/client/files';
import { createHub, type EventStream, type Hub, type StreamOptions } from '@tidings/core';
import {
  type FetchConnection,
  type NodeRequest,
  type NodeResponse,
  nodeConnection,
  streamResponse,
} from '@tidings/core/fetch';
import type { MiddlewareHandler } from 'hono';

/** The variable that `app.use(sse())` adds to every context. No interface: Hono before 4.5 does not accept one. */
export type SseVariables = {
  /**
   * `c.var.sse()` answers the request with a stream. Return its result from the route. The stream stays open after the
   * handler has returned, until it is closed or the client disconnects.
   *
   * All `subscribe` calls in the tick of the first one resume after the client's Last-Event-ID. Later calls begin now.
   *
   * @param handler receives the stream. It is not called for a HEAD request, nor for a stream that is refused.
   * @param options the owner of the stream (`client`), headers, reconnection time and expiry. Default: none of these.
   * @returns resolves with the Response. Rejects with the handler's error if it fails before the headers are sent, so
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
  sse(handler: (stream: EventStream) => unknown, options?: StreamOptions): Promise<Response>;
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

/** Headers that other middleware may have set, and that are wrong for a stream. */
const BREAKING = ['content-length', 'content-encoding', 'etag'];

/**
 * Creates middleware that adds {@linkcode SseVariables.sse | c.var.sse()} to every context.
 *
 * @param options the `hub` of the streams. Default: a new hub with default options, as `sse().hub`.
 */
export function sse({ hub = createHub() }: SseOptions = {}): SseMiddleware {
  const middleware: MiddlewareHandler<{ Variables: SseVariables }> = async (c, next) => {
    c.set('sse', async (handler, options) => {
      const response = await streamResponse(c.req.raw, handler, {
        ...options,
        hub,
        connection: connectionOf(c.env),
      });
      if (c.finalized) {
        // Another response was set meanwhile, so this body is not read.
        await response.body?.cancel();
        return response;
      }
      for (const name of BREAKING) c.header(name, undefined);
      // The context adds the headers that were set with `c.header()`.
      return c.newResponse(response.body, response);
    });
    await next();
  };
  return Object.assign(middleware, { hub });
}

/**
 * A route for the files of @tidings/client, for pages without a bundler: `import { connect } from '/tidings/client.js'`.
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

/** The connection, as @hono/node-server passes it; undefined on other servers. */
function connectionOf(env: unknown): FetchConnection | undefined {
  const { incoming, outgoing } = (env ?? {}) as { incoming?: NodeRequest; outgoing?: NodeResponse };
  return incoming && outgoing && nodeConnection(incoming, outgoing);
}
