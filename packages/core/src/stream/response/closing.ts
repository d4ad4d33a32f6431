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
  /** Whether the connection ends with the response. Default: false. */
  hangUp?: boolean;
  /** Nothing that is published after this position is delivered. Default: what is published by now. */
  after?: Position | undefined;
}

/** A response that ends, and why. */
export interface Closing extends EndOptions {
  readonly reason: CloseReason;
}

/** Reasons for which a response is complete when it ends. */
const COMPLETE: ReadonlySet<CloseReason> = new Set(['closed', 'ended', 'refused', 'lost']);

/** Writes the last frame of a response, and its end. */
export function writeEnd(writer: Writer, closing: Closing, kind: ResponseKind): void {
  const last = lastFrame(closing, kind, writer.hasSentId);
  if (last !== undefined && !writer.isEnding) writer.write(last);
  if (!endsProperly(closing, kind)) writer.end('incomplete');
  else if (!writer.isEnding || closing.hangUp) writer.end(closing.hangUp ? 'hang-up' : 'complete');
}

/**
 * Whether a response ends properly. The client of a POST takes a proper end for the end of the answer, so every other
 * end aborts the connection. The client of a GET reconnects.
 */
function endsProperly({ reason }: Closing, { isRepeatable }: ResponseKind): boolean {
  return isRepeatable || COMPLETE.has(reason);
}

/**
 * What a response sends last. A reconnection time is sent in a marker: openai-python fails at a block that has nothing
 * else. A client that has no id gets it in such a block if its request is repeated at all.
 *
 * @param hasId whether an id was sent before.
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
