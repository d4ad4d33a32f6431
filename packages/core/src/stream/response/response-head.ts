import { GzipBody } from '../../compression/gzip-body.ts';
import type { CompressionSettings } from '../../compression/zlib.ts';
import { acceptsGzip } from '../../protocol/accept-encoding.ts';
import { emptyComment } from '../../protocol/comment.ts';
import { encodeRetry } from '../../protocol/event.ts';
import { createFrame, type Frame } from '../../protocol/frame.ts';
import { createMarker } from '../../protocol/marker.ts';
import type { StreamSettings } from '../stream-options.ts';
import { joinVary } from '../vary.ts';
import type { ResponseKind } from './response-kind.ts';

const NO_CACHE = { 'cache-control': 'no-cache, no-transform' };
const STREAM_HEADERS = {
  // The standard does not need the charset, but Python's requests decodes any text/* without one as Latin-1.
  'content-type': 'text/event-stream; charset=utf-8',
  ...NO_CACHE,
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
};

function heartbeatHeader(heartbeat: number): { 'tidings-heartbeat'?: string } {
  return Number.isFinite(heartbeat) ? { 'tidings-heartbeat': String(heartbeat) } : {};
}

/** The last id after a whole source was sent. A client that reconnects sends it back. No position has this form. */
export const FINISHED_ID = 'end.';

/**
 * - 200: an event stream.
 * - 204: the client has received everything. An EventSource does not reconnect.
 * - 410: events that the client missed were trimmed, and the client receives no resets.
 */
export type Status = 200 | 204 | 410;

/** The options of a stream that its response needs. */
type HeadOptions = Partial<Pick<StreamSettings, 'headers' | 'retry'>>;

type StreamHeaderFields = Record<string, string>;

/** The state of a response at the time when its headers are sent. */
interface HeadContext {
  /** A queued frame is sent together with the headers. */
  readonly isFollowed: boolean;
  /** The stream has subscriptions, so that its client receives markers. */
  readonly isSubscribed: boolean;
  /** ms between heartbeats, by which clients can detect a dead connection. */
  readonly heartbeat: number;
  /** Whether the body is compressed. Absent: the hub has no compression. */
  readonly isCompressed: boolean | undefined;
}

/** Creates the encoder of a response's body. Undefined: the body is not compressed. */
export function createBody(
  { hasBody }: ResponseKind,
  { compression }: { readonly compression: CompressionSettings | undefined },
  acceptEncoding: string | null | undefined,
): GzipBody | undefined {
  return compression && hasBody && acceptsGzip(acceptEncoding) ? new GzipBody() : undefined;
}

/** Status, headers and first bytes of a response. The writer drops it once it is sent. */
export class ResponseHead {
  /** The client has received a whole source. The status is 204, unless the stream subscribes to channels. */
  readonly isFinished: boolean;
  readonly #kind: ResponseKind;
  readonly #headers: Record<string, string> | undefined;
  readonly #retry: number | undefined;
  /** ms. Set if the request is rejected with status 503. */
  #retryAfter: number | undefined;

  constructor(kind: ResponseKind, lastEventId: string | undefined, { headers, retry }: HeadOptions) {
    this.#kind = kind;
    this.#headers = headers;
    this.#retry = kind.hasMarkers ? retry : undefined;
    this.isFinished = kind.isGet && lastEventId === FINISHED_ID;
  }

  /**
   * Creates the head for the same request when it is rejected.
   *
   * @param retryAfter ms for the header `Retry-After` of a 503. Default: the response is an empty stream.
   */
  rejected(retryAfter?: number): ResponseHead {
    const head = new ResponseHead(this.#kind, undefined, { headers: this.#headers });
    head.#retryAfter = retryAfter;
    return head;
  }

  /** Returns status, headers and first bytes. Firefox's fetch and some proxies wait for the first byte of the body. */
  build(
    status: Status,
    context: HeadContext,
  ): [status: number, headers: StreamHeaderFields, first: Frame | undefined] {
    if (this.#retryAfter !== undefined) {
      const seconds = String(Math.ceil(this.#retryAfter / 1_000));
      return [503, { ...NO_CACHE, 'retry-after': seconds, ...this.#headers }, undefined];
    }
    if (status !== 200) return [status, { ...NO_CACHE, ...this.#headers }, undefined];
    const headers: StreamHeaderFields = {
      ...STREAM_HEADERS,
      ...heartbeatHeader(context.heartbeat),
      ...this.#headers,
    };
    if (context.isCompressed !== undefined) {
      headers.vary = joinVary(headers.vary, 'Accept-Encoding');
      if (context.isCompressed) headers['content-encoding'] = 'gzip';
    }
    return [status, headers, this.#first(context)];
  }

  /** A reconnection time is sent in a marker if the client receives markers: openai-python fails at a lone `retry`. */
  #first({ isFollowed, isSubscribed }: HeadContext): Frame | undefined {
    if (!this.#kind.hasBody) return undefined;
    if (this.#retry === undefined) return isFollowed ? undefined : emptyComment.frame(false);
    return isSubscribed
      ? createMarker(undefined, { retry: this.#retry })
      : createFrame(encodeRetry(this.#retry));
  }
}
