import { encodeRetry } from '../../protocol/event.ts';
import type { Position } from '../../protocol/event-id.ts';
import { createFrame, type Frame } from '../../protocol/frame.ts';
import { createMarker } from '../../protocol/marker.ts';
import type { CloseReason } from '../event-stream.ts';
import type { ResponseKind } from './response-kind.ts';
import type { Writer } from './writer.ts';

/** How a response ends. */
export interface EndOptions {
  /** The id of a marker that is written last. Default: none. */
  id?: string | undefined;
  /** ms to wait before reconnecting, sent last. Default: none. */
  retry?: number | undefined;
  /** Whether the connection closes after the response. Default: false. */
  closesConnection?: boolean;
  /** No entry after this position is delivered. Default: the newest position at the time of the call. */
  after?: Position | undefined;
}

/** Why and how a response ends. */
export interface Closing extends EndOptions {
  readonly reason: CloseReason;
}

/** Reasons after which the client must not expect more from this response. */
const COMPLETE: ReadonlySet<CloseReason> = new Set(['closed', 'ended', 'refused', 'lost']);

/** Writes the last frame of a response, and its end. */
export function writeEnd(writer: Writer, closing: Closing, kind: ResponseKind): void {
  const last = lastFrame(closing, kind, writer.hasSentId);
  if (last !== undefined && !writer.isEnding) writer.write(last);
  if (!endsProperly(closing, kind)) writer.end('incomplete');
  else if (!writer.isEnding || closing.closesConnection) {
    writer.end(closing.closesConnection ? 'complete-and-close' : 'complete');
  }
}

/**
 * Whether a response ends properly. The client of a POST treats a proper end as a complete response, so a response that
 * is not complete must be aborted. The client of a GET reconnects after either.
 */
function endsProperly({ reason }: Closing, { isRepeatable }: ResponseKind): boolean {
  return isRepeatable || COMPLETE.has(reason);
}

/**
 * The last frame of a response. A reconnection time is sent in a marker if the client has an id: openai-python fails at
 * a block that has only a `retry` field. Without an id, it is sent in such a block, and only to clients that repeat
 * their request.
 *
 * @param hasId whether an id was already sent.
 */
function lastFrame(
  { id, retry }: Closing,
  { hasMarkers, isRepeatable }: ResponseKind,
  hasId: boolean,
): Frame | undefined {
  if (!hasMarkers) return undefined;
  if (id !== undefined || (retry !== undefined && hasId)) return createMarker(id, { retry });
  return retry === undefined || !isRepeatable ? undefined : createFrame(encodeRetry(retry));
}
