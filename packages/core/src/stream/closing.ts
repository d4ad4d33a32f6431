import { encodeRetry } from '../protocol/event.ts';
import { createFrame, type Frame } from '../protocol/frame.ts';
import { createMarker } from '../protocol/marker.ts';
import type { CloseReason } from './event-stream.ts';

/** How a response ends. */
export interface EndOptions {
  /** The id of a marker that is written last. Default: none. */
  id?: string | undefined;
  /** ms to wait before reconnecting, sent last. Default: none. */
  retry?: number | undefined;
  /** Whether the connection ends with the response. Default: false. */
  hangUp?: boolean;
}

/** A response that ends, and why. */
export interface Closing extends EndOptions {
  readonly reason: CloseReason;
}

/**
 * What a response sends last. A reconnection time is sent in a marker: openai-python fails at a block that has nothing
 * else. A client that has no id gets it in such a block, since most clients that parse every event never get an id.
 *
 * @param hasId whether an id was sent before.
 */
export function lastFrame({ id, retry }: Closing, hasId: boolean): Frame | undefined {
  if (id !== undefined || (retry !== undefined && hasId)) return createMarker(id, { retry });
  return retry === undefined ? undefined : createFrame(encodeRetry(retry));
}
