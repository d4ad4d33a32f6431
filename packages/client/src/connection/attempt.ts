import type { ConnectOptions, PerAttempt, RequestContext } from '../options.ts';
import { isBrowser } from '../page.ts';

/** One request. */
export interface Attempt extends RequestContext {
  readonly url: string;
  readonly options: ConnectOptions;
  readonly lastEventId: string;
  readonly signal: AbortSignal;
  /** The request is sent now. Functions that return headers, body or method have already resolved. */
  onSend(): void;
  /** The response is an event stream. */
  onOpen(headers: Headers): void;
  /** Bytes have arrived. The text is '' if they end within a character. */
  onText(text: string): void;
}

/** How an attempt has ended. */
export interface Outcome extends Ending {
  /** GET or HEAD, or no request was sent. Any other request may have side effects, and must not be repeated. */
  readonly isRepeatable: boolean;
}

interface Ending {
  /**
   * - `complete`: the server has nothing more to send (204).
   * - `end`: an event stream has ended properly.
   * - `unauthorized`: 401 or 403.
   * - `failed`: another attempt would have the same outcome.
   * - `broken`: the connection failed, or the server cannot respond now.
   */
  readonly kind: 'complete' | 'end' | 'unauthorized' | 'failed' | 'broken';
  readonly error?: Error;
  /** The status of a response that is not an event stream. */
  readonly status?: number;
  /** ms to wait before reconnecting, from the header `Retry-After`. NaN: the response has none. */
  readonly retryAfter?: number;
}

/** 4xx statuses after which a later request may succeed: timeout, too early, too many requests. */
const TEMPORARY = [408, 425, 429];

/** An object, because the types of Node.js lack `cache`. */
const NO_STORE: object = { cache: 'no-store' };

/** Sends one request, and reads its response to the end. Never rejects. */
export async function attempt(request: Attempt): Promise<Outcome> {
  let isRepeatable = true;
  const run = async (): Promise<Ending> => {
    const { url, options, signal } = request;
    const init = await createInit(request);
    // Called without `this`, as browsers require.
    const { fetch: send = fetch } = options;
    signal.throwIfAborted();
    isRepeatable = /^(get|head)$/i.test(init.method as string);
    request.onSend();
    const response = await send(url, init);
    const ending = endingOf(response, url);
    if (ending) return ending;
    request.onOpen(response.headers);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { kind: 'end' };
      request.onText(decoder.decode(value, { stream: true }));
    }
  };
  const ending = await run().catch(
    (error): Ending => ({ kind: 'broken', error: error instanceof Error ? error : new Error(error) }),
  );
  return { ...ending, isRepeatable };
}

async function createInit(request: Attempt): Promise<RequestInit> {
  const { options, lastEventId, signal } = request;
  const read = <T>(value: PerAttempt<T>) =>
    typeof value === 'function' ? (value as (context: RequestContext) => T | Promise<T>)(request) : value;
  const headers = new Headers(await read(options.headers));
  if (!headers.has('accept')) headers.set('accept', 'text/event-stream');
  // An id is sent as UTF-8. Each character of a header is one byte.
  if (lastEventId)
    headers.set('last-event-id', String.fromCharCode(...new TextEncoder().encode(lastEventId)));
  const body = await read(options.body);
  const method = (await read(options.method)) ?? (body == null ? 'GET' : 'POST');
  const credentials = await read(options.credentials);
  const init: RequestInit = { method, headers, signal };
  // A stream as the body needs `duplex`. Other bodies ignore it.
  if (body != null) Object.assign(init, { body, duplex: 'half' });
  // Cloudflare Workers refuse `credentials` and `cache`. Pages need `no-store`: Chromium delays a request while there
  // is another one for the same URL whose response may be cached.
  if (credentials) init.credentials = credentials;
  return isBrowser() ? { ...init, ...NO_STORE } : init;
}

/** Returns how an attempt ends with this response. Undefined: the response is an event stream. */
function endingOf({ status, ok, headers, body }: Response, url: string): Ending | undefined {
  if (status === 204) return { kind: 'complete' };
  const type = headers.get('content-type');
  const error = new Error(`${url} responded with ${status} ${type}, not an event stream`);
  const after = headers.get('retry-after') ?? '';
  const retryAfter = Number(after || NaN) * 1_000 || Date.parse(after) - Date.now();
  if (status === 401 || status === 403) return { kind: 'unauthorized', error, status };
  if (status >= 500 || TEMPORARY.includes(status)) return { kind: 'broken', error, status, retryAfter };
  if (!ok || !/^text\/event-stream\s*(;|$)/i.test(type ?? '')) return { kind: 'failed', error };
  return body?.getReader
    ? undefined
    : { kind: 'failed', error: new Error('this fetch does not support streams') };
}
