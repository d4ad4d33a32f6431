import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inspector, type InspectorOptions, readPath } from './inspector.ts';
import { respondToNode } from './node.ts';

/** The options of {@link inspector}, for Koa. */
export interface KoaInspectorOptions<Context> extends InspectorOptions<Context> {
  /** The path of the page, such as `/_tidings`. */
  path: string;
}

/** What the middleware needs of a Koa context. */
interface Context {
  path: string;
  req: IncomingMessage;
  res: ServerResponse;
  respond?: boolean;
}

/**
 * Creates middleware for Koa 2 and 3 that serves the inspector.
 *
 * @typeParam C the context that `authorize` receives.
 * @throws {TypeError} the path is missing, or does not begin with `/`.
 * @example
 * ```ts
 * app.use(inspector({ hub, path: '/_tidings', authorize: ctx => ctx.state.user?.isAdmin === true }));
 * ```
 */
export function inspector<C extends Context>({
  path,
  authorize,
  hub,
}: KoaInspectorOptions<C>): (ctx: C, next: () => Promise<unknown>) => Promise<unknown> {
  const base = readPath(path);
  const shown = new Inspector(hub);
  return async (ctx, next) => {
    if (ctx.path !== base && !ctx.path.startsWith(`${base}/`)) return next();
    ctx.respond = false;
    return respondToNode(shown, ctx.req, ctx.res, base, authorize && (() => authorize(ctx)));
  };
}
