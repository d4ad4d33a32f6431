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
  // The charset is redundant by the standard. Python's requests decodes any text/* without one as Latin-1.
  'content-type': 'text/event-stream; charset=utf-8',
  ...NO_CACHE,
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
};

function announce(heartbeat: number): { 'tidings-heartbeat'?: string } {
  return Number.isFinite(heartbeat) ? { 'tidings-heartbeat': String(heartbeat) } : {};
}

/** The id by which a client says that it has received the whole of a source. No position looks like it. */
export const FINISHED_ID = 'end.';

/**
 * - 200: an event stream.
 * - 204: the client has everything. An EventSource does not reconnect.
 * - 410: what the client asks for is no longer there, and it receives no resets.
 */
export type Status = 200 | 204 | 410;

/** The options of a stream that its response needs. */
type HeadOptions = Partial<Pick<StreamSettings, 'headers' | 'retry'>>;

type StreamHeaderFields = Record<string, string>;

/** What is known of a response when its headers are sent. */
interface HeadContext {
  /** A frame goes out with the headers. */
  readonly isFollowed: boolean;
  /** The stream has subscriptions, and so its client gets markers. */
  readonly isSubscribed: boolean;
  /** ms between heartbeats, for clients that want to notice a dead connection. */
  readonly heartbeat: number;
  /** Whether the body is compressed. Absent: that is switched off. */
  readonly isCompressed: boolean | undefined;
}

/** What encodes the body of a response. Absent: it is not compressed. */
export function createBody(
  { hasBody }: ResponseKind,
  { compression }: { readonly compression: CompressionSettings | undefined },
  acceptEncoding: string | null | undefined,
): GzipBody | undefined {
  return compression && hasBody && acceptsGzip(acceptEncoding) ? new GzipBody() : undefined;
}

/** Status, headers and first bytes of a response. Kept until they are sent. */
export class ResponseHead {
  /** The client has received the whole of a source. It gets 204, unless the stream subscribes to channels. */
  readonly isFinished: boolean;
  readonly #kind: ResponseKind;
  readonly #headers: Record<string, string> | undefined;
  readonly #retry: number | undefined;
  /** ms. Set if the request is refused with 503. */
  #retryAfter: number | undefined;

  constructor(kind: ResponseKind, lastEventId: string | undefined, { headers, retry }: HeadOptions) {
    this.#kind = kind;
    this.#headers = headers;
    this.#retry = kind.hasMarkers ? retry : undefined;
    this.isFinished = kind.isGet && lastEventId === FINISHED_ID;
  }

  /**
   * The same response for a request that is rejected.
   *
   * @param retryAfter ms for the header `Retry-After` of a 503. Default: an empty stream.
   */
  rejected(retryAfter?: number): ResponseHead {
    const head = new ResponseHead(this.#kind, undefined, { headers: this.#headers });
    head.#retryAfter = retryAfter;
    return head;
  }

  /** Status, headers and first bytes: Firefox's fetch and some proxies wait for a byte of the body. */
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
      ...announce(context.heartbeat),
      ...this.#headers,
    };
    if (context.isCompressed !== undefined) {
      headers.vary = joinVary(headers.vary, 'Accept-Encoding');
      if (context.isCompressed) headers['content-encoding'] = 'gzip';
    }
    return [status, headers, this.#first(context)];
  }

  /** A reconnection time is sent in a marker, if the client gets markers: alone, openai-python fails at it. */
  #first({ isFollowed, isSubscribed }: HeadContext): Frame | undefined {
    if (!this.#kind.hasBody) return undefined;
    if (this.#retry === undefined) return isFollowed ? undefined : emptyComment.frame(false);
    return isSubscribed
      ? createMarker(undefined, { retry: this.#retry })
      : createFrame(encodeRetry(this.#retry));
  }
}
