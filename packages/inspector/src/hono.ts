import { createFetchInspector, type FetchInspectorOptions } from './fetch.ts';

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
  const answer = createFetchInspector(options);
  const { authorize } = options;
  return async (c, next) => {
    const response = await answer(
      c.req.raw,
      { remoteAddress: addressOf(c.env) },
      authorize && (() => authorize(c)),
    );
    if (response === undefined) await next();
    return response;
  };
}

/** The address of the peer, as @hono/node-server passes it. */
function addressOf(env: unknown): string | undefined {
  const { incoming } = (env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  return incoming?.socket?.remoteAddress;
}
