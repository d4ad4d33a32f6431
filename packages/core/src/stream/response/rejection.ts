import { UNKNOWN_ID } from '../../protocol/event-id.ts';
import type { CloseReason } from '../event-stream.ts';
import { beginSoon } from './begin-soon.ts';
import type { StreamResponse } from './response.ts';

/**
 * Rejects a request, so that its stream never opens. An EventSource is told when to reconnect: a status other than 200
 * would stop it for good. Other clients get 503.
 *
 * @param retry ms to wait before reconnecting. Default: none, an empty stream.
 */
export function rejectRequest(response: StreamResponse, reason: CloseReason, retry?: number): void {
  const { isRepeatable, hasMarkers } = response.kind;
  const isStream = retry === undefined || (isRepeatable && hasMarkers);
  response.writer.reject(isStream ? undefined : retry);
  response.closing = { reason, retry: isStream ? retry : undefined, hangUp: reason === 'refused' };
  beginSoon(response, response.host.responses);
}

/** A client without an id whose subscriptions are refused gets one: it resumes from there when it reconnects. */
export function markRejected(
  { closing, headersSent, host }: StreamResponse,
  lastEventId: string | undefined,
): void {
  const { log } = host.context;
  // Without a reconnection time it is a 503.
  const isRefused = closing?.reason === 'refused' && closing.retry !== undefined;
  if (!isRefused || headersSent || lastEventId !== undefined) return;
  closing.id ??= log.now === undefined ? UNKNOWN_ID : log.id(log.now);
}
