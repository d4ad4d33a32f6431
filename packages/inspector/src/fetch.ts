import { streamResponse } from '@tidings/core/fetch';
import { HEADERS, Inspector, type InspectorOptions, readPath } from './inspector.ts';
import type { PageRequest } from './request.ts';

export type { InspectorOptions };

/** The options of {@link inspector}, for servers with web Requests. */
export interface FetchInspectorOptions<Context = unknown> extends InspectorOptions<Context> {
  /** The path of the page, such as `/_tidings`. */
  path: string;
}

/** The origin of a request, if the server provides it. */
export interface RequestOrigin {
  /** The address of the client. If it is missing, the inspector requires `authorize`. */
  remoteAddress?: string | undefined;
  /** The version of HTTP. Without `authorize`, requests over 1.0 are refused: some proxies use it, and no browser. */
  httpVersion?: string | undefined;
}

/** Responds to a Request of the page. Resolves with undefined for every other path. */
export type FetchInspector = (request: Request, origin?: RequestOrigin) => Promise<Response | undefined>;

/**
 * Creates a function that responds to the Requests of the inspector's page.
 *
 * @throws {TypeError} the path is missing, or does not begin with `/`.
 * @example
 * ```ts
 * const inspect = inspector({ hub, path: '/_tidings', authorize: isAdmin });
 * Bun.serve({ fetch: async request => (await inspect(request)) ?? app.fetch(request) });
 * ```
 */
export function inspector(options: FetchInspectorOptions<Request>): FetchInspector {
  const respond = createFetchInspector(options);
  const { authorize } = options;
  return (request, origin = {}) => respond(request, origin, authorize && (() => authorize(request)));
}

/** @internal */
export function createFetchInspector({ path, hub }: FetchInspectorOptions<never>) {
  const base = readPath(path);
  const shown = new Inspector(hub);
  return async (request: Request, origin: RequestOrigin, authorize: PageRequest['authorize']) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === base) {
      // The page has relative paths, so its own path must end with a slash.
      return new Response(null, { status: 308, headers: { location: `${base}/` } });
    }
    if (!pathname.startsWith(`${base}/`)) return undefined;
    const { method, headers } = request;
    const answer = await shown.respond({
      method,
      path: pathname.slice(base.length),
      query: searchParams,
      header: name => headers.get(name) ?? undefined,
      remoteAddress: origin.remoteAddress,
      httpVersion: origin.httpVersion,
      authorize,
    });
    if ('follow' in answer)
      return streamResponse(request, stream => answer.follow(stream), { hub: shown.pages, headers: HEADERS });
    const hasBody = method !== 'HEAD' && answer.status !== 304;
    return new Response(hasBody ? answer.body : null, answer);
  };
}
