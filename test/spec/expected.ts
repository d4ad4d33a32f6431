import type { ServerSentEvent } from '@tidings/core';
import type { Parsed } from './reference-parser.ts';

export type Sent = ServerSentEvent | { comment: string };

/** What a client is to make of a stream on which this was sent. Says nothing the way the encoder says it. */
export function expected(sent: readonly Sent[]): Parsed {
  const parsed: Parsed = { events: [], retries: [], comments: [], ignored: [] };
  let lastEventId = '';
  for (const item of sent) {
    if ('comment' in item) {
      parsed.comments.push(...received(item.comment).split('\n'));
      continue;
    }
    if (item.retry !== undefined) parsed.retries.push(item.retry);
    if (item.id !== undefined) lastEventId = received(item.id);
    parsed.events.push({
      type: received(item.event ?? '') || 'message',
      data: received(dataText(item.data)),
      lastEventId,
    });
  }
  return parsed;
}

function dataText(data: unknown): string {
  if (typeof data === 'string') return data;
  if (data instanceof Uint8Array) return Buffer.from(data).toString();
  // Python's splitlines() breaks a line at these.
  return JSON.stringify(data)
    .replaceAll('\u0085', '\\u0085')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
}

/** The wire has one line break, LF, and no lone surrogates: UTF-8 cannot say them. */
function received(text: string): string {
  return Buffer.from(text).toString().replaceAll('\r\n', '\n').replaceAll('\r', '\n');
}
