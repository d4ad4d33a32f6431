import { createHub, type EventStream, type Hub, type StreamOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import type { NextFunction, Request, Response } from 'express';

declare global {
  namespace Express {
    interface Response {
      /**
       * Answers the request with a stream. There with `app.use(sse())`.
       *
       * @throws {TidingsError} `already-open`: at the second call; `head-sent`: the request has been answered;
       *   `invalid-option`, naming the option.
       */
      sse(options?: StreamOptions): EventStream;
    }
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

/** Gives `res.sse()` to every handler after it. Without a hub it makes one. */
export function sse({ hub = createHub() }: SseOptions = {}): SseMiddleware {
  const middleware = (req: Request, res: Response, next: NextFunction) => {
    res.sse = options => openStream(req, res, { ...options, hub });
    next();
  };
  return Object.assign(middleware, { hub });
}
