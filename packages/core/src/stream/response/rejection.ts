import { UNKNOWN_ID } from '../../protocol/event-id.ts';
import type { CloseReason } from '../event-stream.ts';
import { beginSoon } from './begin-soon.ts';
import type { StreamResponse } from './response.ts';

/**
 * Rejects a request, so that its stream never opens. The client of a GET receives an empty stream with a reconnection
 * time: an EventSource would not reconnect after a status other than 200. Other clients receive status 503.
 *
 * @param retry ms to wait before reconnecting. Default: none; the response is an empty stream.
 */
export function rejectRequest(response: StreamResponse, reason: CloseReason, retry?: number): void {
  const { isRepeatable, hasMarkers } = response.kind;
  const isStream = retry === undefined || (isRepeatable && hasMarkers);
  response.writer.reject(isStream ? undefined : retry);
  response.closing = { reason, retry: isStream ? retry : undefined, closesConnection: reason === 'refused' };
  beginSoon(response, response.host.responses);
}

/**
 * Called when a rejected stream subscribes to channels. If the client has no id, the response sends the current
 * position, so that the client resumes from there when it reconnects.
 */
export function markRejected(
  { closing, headersSent, host }: StreamResponse,
  lastEventId: string | undefined,
): void {
  const { log } = host.context;
  // Without a reconnection time, the response is a 503 and has no body.
  const isRefused = closing?.reason === 'refused' && closing.retry !== undefined;
  if (!isRefused || headersSent || lastEventId !== undefined) return;
  closing.id ??= log.now === undefined ? UNKNOWN_ID : log.id(log.now);
}
