import { setTimeout as sleep } from 'node:timers/promises';
import type { EventStream, Hub } from '@tidings/core';

/** An event of a channel, as the page shows it. */
export interface TailEvent {
  id: string | undefined;
  event: string | undefined;
  key: string | undefined;
  data: unknown;
  /** The data is the beginning of a text that is longer. */
  isCut: boolean;
}

/** Events that a page gets at first. */
const FIRST = 20;
/** Events that one update has at most: the newest. What a busy channel has above that nobody could read. */
const MAX_EVENTS = 50;
/** Characters of the data of one event. */
const MAX_LENGTH = 4_096;
/** ms between two updates. */
const INTERVAL = 250;

/** The newest events of a channel, and those to come, in updates of several. */
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
