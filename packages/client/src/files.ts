import { embedded } from './embedded.ts';

/** A response with one of the files of this package. */
export interface ClientFile {
  readonly status: 200 | 304;
  readonly headers: Readonly<Record<string, string>>;
  /** '' for 304. */
  readonly body: string;
}

/**
 * Returns the client for pages without a bundler, `client.js`, or a file that it imports. For routes of a server, also
 * on runtimes without a file system.
 *
 * @param path of the request, such as `/tidings/client.js`.
 * @param base the folder in which the page finds the files, such as `/tidings`.
 * @param ifNoneMatch the request header. Default: none.
 * @returns the response to a GET; undefined if there is no such file.
 */
export function clientFile(path: string, base: string, ifNoneMatch?: string | null): ClientFile | undefined {
  const [etag, text] = (path.startsWith(base) && embedded[path.slice(base.length)]) || [];
  if (etag === undefined || text === undefined) return undefined;
  const headers = { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'no-cache', etag };
  // `includes`, because proxies that encode the body make the tag weak.
  if (ifNoneMatch?.includes(etag)) return { status: 304, headers, body: '' };
  return { status: 200, headers, body: text };
}
