import { encodeComment, encodeRetry } from '../protocol/event.ts';
import { createFrame, type Frame } from '../protocol/frame.ts';
import { createMarker } from '../protocol/marker.ts';
import type { StreamSettings } from './stream-options.ts';

const NO_CACHE = { 'cache-control': 'no-cache, no-transform' };
const STREAM_HEADERS = { 'content-type': 'text/event-stream', ...NO_CACHE, 'x-accel-buffering': 'no' };

/** The id by which a client remembers that it has had the whole of a source. No position looks like it. */
const FINISHED = 'end.';

export const finishedMarker = createMarker(FINISHED);

export const heartbeatComment = createFrame(encodeComment(''));

/** How a request is answered. Kept until that is done, and no longer. */
export class Head {
  /** The client has had all there was: the answer is 204, unless it subscribes to something. */
  readonly isFinished: boolean;
  readonly #method: string;
  readonly #headers: Record<string, string> | undefined;
  readonly #retry: number | undefined;

  constructor(method: string, lastEventId: string | undefined, { headers, retry }: Partial<StreamSettings>) {
    this.#method = method;
    this.#headers = headers;
    this.#retry = retry;
    this.isFinished = method === 'GET' && lastEventId === FINISHED;
  }

  /** The same answer with nothing in it but when to come back. */
  declined(retry: number | undefined): Head {
    return new Head(this.#method, undefined, { headers: this.#headers, retry });
  }

  /** Status, headers, and the first bytes: Firefox's fetch and some proxies wait for a byte of the body. */
  answer(isFinished: boolean): [status: number, headers: Record<string, string>, first: Frame | undefined] {
    if (isFinished) return [204, { ...NO_CACHE, ...this.#headers }, undefined];
    const first = this.#retry === undefined ? heartbeatComment : createFrame(encodeRetry(this.#retry));
    return [200, { ...STREAM_HEADERS, ...this.#headers }, this.#method === 'HEAD' ? undefined : first];
  }
}
