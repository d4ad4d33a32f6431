import { setTimeout as sleep } from 'node:timers/promises';
import type { EventStream, Hub } from '@tidings/core';

/** An event of a channel, as the page shows it. */
export interface TailEvent {
  id: string | undefined;
  event: string | undefined;
  key: string | undefined;
  data: unknown;
  /** The data was truncated: it is the beginning of a longer text. */
  isCut: boolean;
}

/** Number of retained events that a new page receives. */
const FIRST = 20;
/** Maximum number of events in one update, the newest ones. The user of the page could not read more. */
const MAX_EVENTS = 50;
/** Maximum number of characters of the data of one event. */
const MAX_LENGTH = 4_096;
/** ms between two updates. */
const INTERVAL = 250;

/** The newest retained events of a channel, then new events, in batches. */
export async function* tail(
  hub: Hub,
  channel: string,
  { signal }: EventStream,
): AsyncGenerator<readonly TailEvent[]> {
  let waiting: TailEvent[] = [];
  const listening = hub.listen(
    channel,
    ({ id, event, key, data }) => {
      waiting.push({ id, event, key, ...cut(data) });
      if (waiting.length > MAX_EVENTS) waiting.shift();
    },
    { from: { last: FIRST }, signal },
  );
  try {
    while (!signal.aborted) {
      if (waiting.length > 0) {
        yield waiting;
        waiting = [];
      }
      await sleep(INTERVAL, undefined, { signal, ref: false }).catch(() => {});
    }
  } finally {
    listening.close();
  }
}

function cut(data: unknown): { data: unknown; isCut: boolean } {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return text.length <= MAX_LENGTH
    ? { data, isCut: false }
    : { data: text.slice(0, MAX_LENGTH), isCut: true };
}
