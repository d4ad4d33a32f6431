import type { IncomingMessage } from 'node:http';
import { createFetchInspector, type FetchInspectorOptions, type RequestOrigin } from './fetch.ts';

export type { FetchInspectorOptions };

/** What the middleware needs of a Hono context. */
interface Context {
  req: { raw: Request };
  env: unknown;
}

/**
 * Creates middleware for Hono 4 that serves the inspector.
 *
 * @typeParam C the context that `authorize` receives.
 * @example
 * ```ts
 * app.use(inspector({ hub, path: '/_tidings', authorize: c => c.get('user')?.isAdmin === true }));
 * ```
 */
export function inspector<C extends Context>(
  options: FetchInspectorOptions<C>,
): (c: C, next: () => Promise<void>) => Promise<Response | undefined> {
  const respond = createFetchInspector(options);
  const { authorize } = options;
  return async (c, next) => {
    const response = await respond(c.req.raw, originOf(c.env), authorize && (() => authorize(c)));
    if (response === undefined) await next();
    return response;
  };
}

/** The origin of a request, if the server is @hono/node-server. */
function originOf(env: unknown): RequestOrigin {
  const { incoming } = (env ?? {}) as { incoming?: Partial<IncomingMessage> };
  return { remoteAddress: incoming?.socket?.remoteAddress, httpVersion: incoming?.httpVersion };
}
