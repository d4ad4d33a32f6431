import { TidingsError } from './base/errors.ts';
import type { Hub } from './hub/hub.ts';
import type { EventStream, StreamOptions } from './stream/event-stream.ts';
import { isAbortOf } from './stream/is-abort.ts';
import type { Stream } from './stream/stream.ts';
import type { NodeRequest, NodeResponse } from './transports/connection.ts';
import { areHeadersSent, headersSent, NodeTransport } from './transports/node-transport.ts';

export type { NodeRequest, NodeResponse };

/** The options of {@link openStream}. */
export interface OpenStreamOptions extends StreamOptions {
  /** The hub of the stream. */
  hub: Hub;
}

/**
 * Opens a stream as the response to a request of `node:http` or `node:http2`. The headers are sent with the first
 * event, or after two turns of the event loop. Until then, a failing handler can still send another response. With a
 * broker, the headers of a stream with subscriptions wait for it for at most 1 s.
 *
 * Read the request's body before, or begin to in the same tick. A body that nobody reads is discarded.
 *
 * @throws {TidingsError} `already-open`: the response has a stream; `head-sent`: the response headers were sent
 *   already; `invalid-option`, naming the option.
 */
export function openStream(req: NodeRequest, res: NodeResponse, options: OpenStreamOptions): EventStream {
  const { hub, ...streamOptions } = options;
  if ((res as ResponseWithTransport)[transportOf] !== undefined) {
    throw new TidingsError(
      'already-open',
      'this response already has a stream: use the one that the first call returned',
    );
  }
  if (areHeadersSent(res)) throw headersSent();
  const transport = new NodeTransport(req, res);
  const lastEventId = req.headers['last-event-id'] as string | undefined;
  const stream = hub.open(
    transport,
    { method: req.method ?? 'GET', url: req.url ?? '', lastEventId },
    streamOptions,
  );
  transport.stream = stream;
  (res as ResponseWithTransport)[transportOf] = transport;
  res.on('close', disconnected);
  if (res.socket === null) transport.awaitDisconnect();
  return stream;
}

/**
 * Tells the stream of a response that its handler has failed. For adapters whose framework responds to errors, or reports
 * them. If the headers were not sent, the stream closes as `refused` and writes nothing. Otherwise it ends as `error`.
 *
 * @returns whether the framework has to handle the error. False if the handler failed only because its stream closed,
 *   with the AbortError of its `signal`.
 */
export function failStream(res: NodeResponse, error: unknown): boolean {
  const transport = (res as ResponseWithTransport)[transportOf];
  const stream = transport?.stream;
  if (transport === undefined || stream === undefined) return true;
  if (isAbortOf(stream, error)) return false;
  if (res.headersSent) (stream as Stream).end('error');
  else transport.release();
  return true;
}

/**
 * Releases a response from a stream that has not sent the headers, so that something else can send the response. The
 * stream closes as `refused` and writes nothing. For adapters whose framework responds to errors later.
 *
 * @returns false if the headers were sent already, or there is no stream.
 */
export function releaseResponse(res: NodeResponse): boolean {
  const transport = (res as ResponseWithTransport)[transportOf];
  if (transport === undefined || res.headersSent) return false;
  transport.release();
  return true;
}

/**
 * A property of the response, so that all copies of this module see it, and `disconnected` needs no closure for each
 * response. A bound listener or an entry of a WeakMap takes no less memory.
 */
const transportOf = Symbol.for('tidings.transport');
type ResponseWithTransport = NodeResponse & { [transportOf]?: NodeTransport };

function disconnected(this: NodeResponse): void {
  (this as ResponseWithTransport)[transportOf]?.disconnected();
}
