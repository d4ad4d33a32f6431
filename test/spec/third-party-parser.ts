import { createParser } from 'eventsource-parser';
import type { Parsed } from './reference-parser.ts';

/**
 * eventsource-parser 3.1, made to answer in the standard's terms. It differs from WHATWG HTML 9.2.6 in this:
 *
 * - `id` belongs to one event and does not persist. So it is kept here; an id in a block without data is lost
 *   to it for good, where the standard would remember it.
 * - An event without a name has none, where the standard says `message`.
 * - A BOM is looked for as the three characters U+00EF U+00BB U+00BF: whoever decodes has to strip it.
 * - A CR at the end of a chunk counts only when the next chunk comes.
 */
export function parseWithThirdParty(chunks: Iterable<string>): Parsed {
  const parsed: Parsed = { events: [], retries: [], comments: [], ignored: [] };
  let lastEventId = '';
  const parser = createParser({
    onEvent({ id, event, data }) {
      lastEventId = id ?? lastEventId;
      parsed.events.push({ type: event ?? 'message', data, lastEventId });
    },
    onRetry: retry => parsed.retries.push(retry),
    onComment: comment => parsed.comments.push(comment),
    onError: error => parsed.ignored.push(error.line ?? error.message),
  });
  for (const chunk of chunks) parser.feed(chunk);
  return parsed;
}
