import { TidingsError } from './base/errors.ts';
import type { Hub } from './hub/hub.ts';
import type { EventStream, StreamOptions } from './stream/event-stream.ts';
import { isAbortOf } from './stream/is-abort.ts';
import type { Stream } from './stream/stream.ts';
import type { NodeRequest, NodeResponse } from './transports/connection.ts';
import { type BeforeHeaders, DeferredTransport } from './transports/deferred-transport.ts';
import { areHeadersSent, headersSent, NodeTransport } from './transports/node-transport.ts';
import { checkRuntime } from './transports/runtime.ts';

export { type ClosableServer, gracefulShutdown, type ShutdownOptions } from './graceful-shutdown.ts';
export { adapterHub } from './hub/adapter-hub.ts';
export type { BeforeHeaders, NodeRequest, NodeResponse };

/** The options of {@link openStream}. */
export interface OpenStreamOptions<Data = unknown> extends StreamOptions<Data> {
  /** The hub of the stream. */
  hub: Hub;
  /**
   * Called once, before the stream sends its headers, with the status and the headers. The stream waits for the
   * promise, and queues the events that are sent meanwhile. For adapters whose framework sets headers after the handler
   * has returned. Default: the headers are sent immediately.
   */
  beforeHeaders?: BeforeHeaders | undefined;
}

/**
 * Opens a stream as the response to a request of `node:http` or `node:http2`. The headers are sent with the first
 * event, or after two iterations of the event loop. Until then, a failing handler can still send another response. With
 * a broker, the headers of a stream with subscriptions wait for it for at most 1 s.
 *
 * Read the request's body before the call, or begin to read it in the same tick, or call `req.pause()` before and read
 * it later. Otherwise the body is discarded, and the hub's `onError` is called with the stage `request`.
 *
 * @throws {TidingsError} `already-open`: the response has a stream; `head-sent`: the response headers were sent
 *   already; `invalid-option`, naming the option.
 */
export function openStream<Data = unknown>(
  req: NodeRequest,
  res: NodeResponse,
  options: OpenStreamOptions<Data>,
): EventStream<Data> {
  const { hub, beforeHeaders, ...streamOptions } = options;
  if ((res as ResponseWithTransport)[transportOf] !== undefined) {
    throw new TidingsError(
      'already-open',
      'this response already has a stream: use the one that the first call returned',
    );
  }
  if (areHeadersSent(res)) throw headersSent();
  checkRuntime();
  const transport =
    beforeHeaders === undefined
      ? new NodeTransport(req, res)
      : new DeferredTransport(req, res, beforeHeaders);
  const { 'last-event-id': lastEventId, 'accept-encoding': accepted } = req.headers;
  // A middleware that has set `content-encoding` encodes the body, so the stream must not compress it.
  const acceptEncoding = res.hasHeader('content-encoding') ? undefined : String(accepted ?? '');
  const stream = hub.open(
    transport,
    {
      method: req.method ?? 'GET',
      url: req.url ?? '',
      lastEventId: lastEventId as string | undefined,
      acceptEncoding,
    },
    streamOptions,
  );
  transport.stream = stream;
  (res as ResponseWithTransport)[transportOf] = transport;
  res.on('close', disconnected);
  if (res.socket === null) transport.awaitDisconnect();
  return stream as EventStream<Data>;
}

/**
 * Closes the stream of a response whose handler has failed. For adapters whose framework responds to errors, or reports
 * them. If the headers were not sent, the stream closes as `refused` and writes nothing. Otherwise it ends as `error`.
 *
 * @param report whether an error after the headers goes to the hub's `onError`, for frameworks that cannot handle it
 *   then. Default: false.
 * @returns whether the framework must handle the error. False if it was reported, or if the handler failed only because
 *   its stream closed (the AbortError of its `signal`).
 */
export function failStream(res: NodeResponse, error: unknown, report = false): boolean {
  const transport = (res as ResponseWithTransport)[transportOf];
  const stream = transport?.stream;
  if (transport === undefined || stream === undefined) return true;
  if (isAbortOf(stream, error)) return false;
  if (!res.headersSent) {
    transport.release();
    return true;
  }
  if (report) (stream as Stream).report(error, 'handler');
  (stream as Stream).end('error');
  return !report;
}

/**
 * Releases a response from a stream that has not sent the headers, so that other code can send the response. The stream
 * closes as `refused` and writes nothing. For adapters whose framework responds to errors later.
 *
 * @returns false if the headers were sent already, or there is no stream.
 */
export function releaseResponse(res: NodeResponse): boolean {
  const transport = (res as ResponseWithTransport)[transportOf];
  if (transport === undefined || res.headersSent) return false;
  transport.release();
  return true;
}

/** Maximum bytes of a body that `readBody` returns. */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * Reads the body of a request that no middleware has read, as text. For adapters.
 *
 * @returns undefined if it has more than 64 KiB. Rejects when the client disconnects.
 */
export async function readBody(req: NodeRequest): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    // The rest is read and dropped: a request that is not read to its end blocks its connection.
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return bytes > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString();
}

/**
 * The transport is a property of the response. So all copies of this module find it, and the listener `disconnected` is
 * shared by all responses. A bound listener or an entry of a WeakMap would take at least as much memory.
 */
const transportOf = Symbol.for('tidings.transport');
type ResponseWithTransport = NodeResponse & { [transportOf]?: NodeTransport };

function disconnected(this: NodeResponse): void {
  (this as ResponseWithTransport)[transportOf]?.disconnected();
}
