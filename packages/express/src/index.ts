import { createHub, type EventStream, type Hub, type StreamOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import type { NextFunction, Request, Response } from 'express';

/** What `app.use(sse())` adds to every response. */
export interface SseResponse {
  /**
   * `res.sse()` answers the request with a stream, which stays open when the handler has returned: until it is closed,
   * or its peer leaves.
   *
   * What the client has seen counts for channels that are subscribed in the same turn: await what you need to know
   * before.
   *
   * @param options whom the stream belongs to, and how the request is answered.
   * @throws {TidingsError} `already-open`: at the second call; `head-sent`: the request has been answered;
   *   `invalid-option`, naming the option.
   * @example
   * ```ts
   * app.get('/notifications', async (req, res) => {
   *   const user = await userOf(req);
   *   res.sse({ client: user.id }).subscribe(`user:${user.id}`);
   * });
   * ```
   */
  sse(options?: StreamOptions): EventStream;
}

declare global {
  namespace Express {
    interface Response extends SseResponse {}
  }
}

export interface SseOptions {
  /** The hub of the streams. Default: one of the middleware's own. */
  hub?: Hub | undefined;
}

/** Middleware for Express 4 and 5, and the hub that its streams belong to. */
export interface SseMiddleware {
  (req: Request, res: Response, next: NextFunction): void;
  readonly hub: Hub;
}

/** Gives {@linkcode SseResponse.sse | res.sse()} to every handler after it. Without a hub it makes one. */
export function sse({ hub = createHub() }: SseOptions = {}): SseMiddleware {
  // One function for all responses, since each closure would be kept for as long as its stream is open. It is set on
  // each response, and not on the application's `response`: so it belongs to the middleware that ran last, with several
  // applications, hubs and mount paths, and responses that passed none have no `sse`.
  function open(this: Response, options?: StreamOptions): EventStream {
    return openStream(this.req, this, { ...options, hub });
  }
  const middleware = (_req: Request, res: Response, next: NextFunction) => {
    res.sse = open;
    next();
  };
  return Object.assign(middleware, { hub });
}
