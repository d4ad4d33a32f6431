import type { IncomingMessage, ServerResponse } from 'node:http';
import { openStream } from '@tidings/core/node';
import { HEADERS, type Inspector } from './inspector.ts';
import type { PageRequest } from './request.ts';

/**
 * Responds to a request of node:http.
 *
 * @param base the path of the inspector, without the slash at its end.
 */
export async function respondToNode(
  inspector: Inspector,
  req: IncomingMessage,
  res: ServerResponse,
  base: string,
  authorize: PageRequest['authorize'],
): Promise<void> {
  const { url = '', method = 'GET' } = req as { url?: string; method?: string };
  const { originalUrl = url } = req as { originalUrl?: string };
  const { pathname, searchParams } = new URL(originalUrl, 'http://inspector');
  if (pathname === base) {
    // The page has relative paths, so its own path must end with a slash.
    res.writeHead(308, { location: `${base.slice(base.lastIndexOf('/') + 1)}/` }).end();
    return;
  }
  const answer = await inspector.respond({
    method,
    path: pathname.slice(base.length),
    query: searchParams,
    // In HTTP/2, the host is in `:authority`.
    header: name =>
      (req.headers[name] ?? (name === 'host' ? req.headers[':authority'] : undefined))?.toString(),
    remoteAddress: req.socket?.remoteAddress,
    httpVersion: req.httpVersion,
    authorize,
  });
  if ('follow' in answer) {
    answer.follow(openStream(req, res, { hub: inspector.pages, headers: HEADERS }));
    return;
  }
  res.writeHead(answer.status, answer.headers);
  res.end(method === 'HEAD' ? undefined : answer.body);
}
