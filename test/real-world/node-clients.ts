import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '@tidings/client';
import { EventSource } from 'eventsource';
import { createEventSource } from 'eventsource-client';
import { createParser } from 'eventsource-parser';
import { EventSource as UndiciEventSource } from 'undici';
import { exceptMarkers, type See, type SseClient, TYPES } from './sse-client.ts';

const require = createRequire(import.meta.url);

interface Source {
  addEventListener(type: string, listener: (event: { data: string }) => void): void;
  close(): void;
}

/** For what has the shape of a browser's EventSource. */
const followBy = (open: (url: string) => Source) => (url: string, see: See) => {
  const source = open(url);
  for (const type of TYPES) source.addEventListener(type, ({ data }) => see(type, data));
  source.addEventListener('error', () => {});
  return () => source.close();
};

const MARKERS = 'Shows every event, including position markers (`tidings`)';

/** They run in Node. */
export const nodeClients: SseClient[] = [
  {
    name: '@tidings/client',
    follow(url, see) {
      // Longer than the site's heartbeats announce: the machine that runs the tests may be slow.
      const events = connect(url, { text: TYPES, silence: 10_000 });
      for (const type of TYPES) events.on(type, ({ data }) => see(type, String(data)));
      return () => events.close();
    },
  },
  {
    name: 'eventsource',
    package: 'eventsource',
    follow: followBy(url => new EventSource(url)),
  },
  {
    name: 'eventsource',
    package: 'eventsource2',
    follow: followBy(url => new (require('eventsource2'))(url)),
  },
  {
    name: 'EventSource of undici',
    package: 'undici',
    follow: followBy(url => new UndiciEventSource(url) as Source),
  },
  {
    name: 'launchdarkly-eventsource',
    package: 'launchdarkly-eventsource',
    note: 'Listen for `error`: without a listener, Node.js throws the error of a broken connection',
    follow: followBy(url => new (require('launchdarkly-eventsource').EventSource)(url)),
  },
  {
    name: 'eventsource-client',
    package: 'eventsource-client',
    note: MARKERS,
    follow(url, see) {
      const seeOwn = exceptMarkers(see);
      const source = createEventSource({
        url,
        onMessage: ({ event = 'message', data }) => seeOwn(event, data),
      });
      return () => source.close();
    },
  },
  {
    name: 'fetch, eventsource-parser',
    package: 'eventsource-parser',
    note: `${MARKERS}. The application must reconnect`,
    follow(url, see) {
      const left = new AbortController();
      followByFetch(url, exceptMarkers(see), left.signal);
      return () => left.abort();
    },
  },
];

async function followByFetch(url: string, see: See, signal: AbortSignal): Promise<void> {
  let lastId: string | undefined;
  while (!signal.aborted) {
    const parser = createParser({
      onEvent({ event = 'message', data, id }) {
        lastId = id ?? lastId;
        see(event, data);
      },
    });
    const headers: Record<string, string> = lastId === undefined ? {} : { 'Last-Event-ID': lastId };
    try {
      const { body } = await fetch(url, { headers, signal });
      for await (const text of body?.pipeThrough(new TextDecoderStream()) ?? []) parser.feed(text);
    } catch {
      // Cut, or left: in both cases that was all of this response.
    }
    await delay(50);
  }
}
