import { invalid } from './invalid.ts';

/** The options of `connect()`. */
export interface ConnectOptions {
  /** The method of the request. Default: GET, or POST if there is a `body`. */
  method?: string | undefined;
  /** Headers of the request, in addition to `accept`, `cache-control: no-cache` and `last-event-id`. */
  headers?: Record<string, string> | undefined;
  /** The body of the request. Set its `content-type` in `headers`. Default: none. */
  body?: string | undefined;
  /** The `Last-Event-ID` of the first request. Default: none. */
  lastEventId?: string | undefined;
  /** ms to wait for the response, and then for each event. Default: 2,000. */
  timeout?: number | undefined;
}

/** The request of a client. */
export interface TestRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string | undefined;
}

/**
 * Creates the request of a client.
 *
 * @param lastEventId the id of the last received event. '': none.
 * @throws {TypeError} naming the option that cannot be sent.
 */
export function createRequest(path: string, options: ConnectOptions, lastEventId: string): TestRequest {
  const { body, method = body === undefined ? 'GET' : 'POST' } = options;
  if (typeof path !== 'string') throw invalid('path', "a string, such as '/events'", path);
  if (body !== undefined && typeof body !== 'string') {
    throw invalid('body', 'a string: for JSON, JSON.stringify(…) and a content-type in headers', body);
  }
  const headers: Record<string, string> = { accept: 'text/event-stream', 'cache-control': 'no-cache' };
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = value;
  // Ids are sent as UTF-8. Each character of a header is one byte.
  if (lastEventId !== '') headers['last-event-id'] = Buffer.from(lastEventId).toString('latin1');
  return { method, path, headers, body };
}
