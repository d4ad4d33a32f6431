import type { ConnectOptions } from '../options.ts';

/** The body of a request. */
export interface Change {
  readonly stream: string | null;
  readonly subscribe: string[];
  readonly unsubscribe: string[];
  readonly lastEventId: string | undefined;
}

/** Sends a change to the control route, with the headers and credentials of the request for the stream. */
export async function postChange(
  url: string,
  { headers, credentials, fetch: send = fetch }: ConnectOptions,
  change: Change,
  signal: AbortSignal,
): Promise<Response> {
  const init: RequestInit = { method: 'POST', body: JSON.stringify(change), signal };
  const context = { rejected: undefined };
  init.headers = new Headers(await (typeof headers === 'function' ? headers(context) : headers));
  init.headers.set('content-type', 'application/json');
  const mode = await (typeof credentials === 'function' ? credentials(context) : credentials);
  if (mode) init.credentials = mode;
  return send(url, init);
}
