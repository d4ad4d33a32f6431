import { heartbeat } from '../protocol/comment.ts';
import { encodeRetry } from '../protocol/event.ts';
import { createFrame, type Frame } from '../protocol/frame.ts';
import type { StreamSettings } from './stream-options.ts';

const NO_CACHE = { 'cache-control': 'no-cache, no-transform' };
const STREAM_HEADERS = {
  // The charset is redundant by the standard. Python's requests decodes any text/* without one as Latin-1.
  'content-type': 'text/event-stream; charset=utf-8',
  ...NO_CACHE,
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
};

/** The id by which a client says that it has received the whole of a source. No position looks like it. */
export const FINISHED_ID = 'end.';

/** Status, headers and first bytes of a response. Kept until they are sent. */
export class ResponseHead {
  /** The client has received the whole of a source. It gets 204, unless the stream subscribes to channels. */
  readonly isFinished: boolean;
  readonly #method: string;
  readonly #headers: Record<string, string> | undefined;
  #retry: number | undefined;

  constructor(method: string, lastEventId: string | undefined, { headers, retry }: Partial<StreamSettings>) {
    this.#method = method;
    this.#headers = headers;
    this.#retry = retry;
    this.isFinished = method === 'GET' && lastEventId === FINISHED_ID;
  }

  /** The same response for a request that is rejected. */
  rejected(): ResponseHead {
    return new ResponseHead(this.#method, undefined, { headers: this.#headers });
  }

  /** The reconnection time of a stream with subscriptions, which is sent in their first marker. */
  takeRetry(): number | undefined {
    const retry = this.#retry;
    this.#retry = undefined;
    return retry;
  }

  /**
   * A byte of the body goes out with the headers: Firefox's fetch and some proxies wait for it.
   *
   * @param isFollowed whether a frame goes out with them anyway.
   */
  build(
    isFinished: boolean,
    isFollowed: boolean,
  ): [status: number, headers: Record<string, string>, first: Frame | undefined] {
    if (isFinished) return [204, { ...NO_CACHE, ...this.#headers }, undefined];
    return [200, { ...STREAM_HEADERS, ...this.#headers }, this.#first(isFollowed)];
  }

  #first(isFollowed: boolean): Frame | undefined {
    if (this.#method === 'HEAD') return undefined;
    if (this.#retry !== undefined) return createFrame(encodeRetry(this.#retry));
    return isFollowed ? undefined : heartbeat.frame(false);
  }
}
