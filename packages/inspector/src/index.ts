import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inspector, type InspectorOptions } from './inspector.ts';
import { respondToNode } from './node.ts';

export type { InspectorOptions };

/** A handler for Express 4 and 5, Connect, and frameworks with the same interface. */
export type InspectorHandler<Request> = (
  req: Request,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Creates a handler that serves the inspector: a page that shows the live state of the streams and channels of a hub.
 *
 * @typeParam Request the argument of `authorize`. For Express, pass `express.Request`.
 * @example
 * ```ts
 * app.use('/_tidings', inspector({ hub, authorize: req => req.session.user?.isAdmin === true }));
 * ```
 */
export function inspector<Request extends IncomingMessage = IncomingMessage>(
  options: InspectorOptions<Request>,
): InspectorHandler<Request> {
  const shown = new Inspector(options.hub);
  return (req, res, next) => {
    const { baseUrl = '' } = req as { baseUrl?: string };
    const { authorize } = options;
    respondToNode(shown, req, res, baseUrl, authorize && (() => authorize(req))).catch(next);
  };
}
