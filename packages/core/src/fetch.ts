import { createDeferred } from './base/deferred.ts';
import { TidingsError } from './base/errors.ts';
import type { Hub } from './hub/hub.ts';
import type { EventStream, StreamOptions } from './stream/event-stream.ts';
import { isAbortOf } from './stream/is-abort.ts';
import type { FetchConnection } from './transports/fetch-connection.ts';
import { type EventualResponse, FetchTransport } from './transports/fetch-transport.ts';

export { adapterHub } from './hub/adapter-hub.ts';
export type { NodeRequest, NodeResponse } from './transports/connection.ts';
export { type FetchConnection, nodeConnection } from './transports/fetch-connection.ts';

/** The options of {@link streamResponse}. */
export interface StreamResponseOptions<Data = unknown> extends StreamOptions<Data> {
  /** The hub of the stream. */
  hub: Hub;
  /** The connection of the request, if the server gives access to it. Default: none. */
  connection?: FetchConnection | undefined;
}

const opened = new WeakSet<Request>();

/**
 * Opens a stream as the response to a web Request. Resolves with the Response at the first event, or after two
 * iterations of the event loop. It does not wait for the handler to return, and the stream stays open afterwards.
 *
 * Read the request's body before the call, or begin to read it in the same tick. Otherwise the body is discarded.
 *
 * @param handler receives the stream. It is not called for a HEAD request, nor for a stream that is refused.
 * @returns rejects with the handler's error if it fails before there is a Response; later errors go to the hub's
 *   `onError`, and the stream closes. Rejects with a TidingsError `already-open` at the second call for a request, and
 *   `invalid-option`, naming the option.
 */
export async function streamResponse<Data = unknown>(
  request: Request,
  handler: (stream: EventStream<Data>) => unknown,
  options: StreamResponseOptions<Data>,
): Promise<Response> {
  const { hub, connection, ...streamOptions } = options;
  if (opened.has(request)) {
    throw new TidingsError(
      'already-open',
      'this request already has a stream: use the one that its handler received',
    );
  }
  const { promise, resolve } = createDeferred<EventualResponse>();
  const transport = new FetchTransport(request, connection, resolve);
  const { method, url, headers } = request;
  const stream = hub.open(
    transport,
    {
      method,
      url,
      lastEventId: headers.get('last-event-id'),
      acceptEncoding: headers.get('accept-encoding'),
    },
    streamOptions,
  );
  opened.add(request);
  if (hub.streams.has(stream)) {
    (async () => handler(stream as EventStream<Data>))().catch(error => {
      if (!isAbortOf(stream, error)) transport.fail(error);
    });
  }
  return promise;
}
