import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '@tidings/client';
import { EventSource } from 'eventsource';
import { createEventSource } from 'eventsource-client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Running, run } from '../support/server.ts';
import { root } from '../support/snippets.ts';
import { type CaseRequest, type ClientCase, clientCases, type Progress } from './client-cases.ts';

const require = createRequire(import.meta.url);

type See = (event: string, data: string) => void;
type Follow = (url: string, request: CaseRequest, see: See) => () => void;

/** With the headers that a fetch of one's own can add. */
const fetchWith =
  ({ method, body, headers, lastEventId }: CaseRequest): typeof fetch =>
  (url, init) =>
    fetch(url, {
      ...init,
      method: method ?? 'GET',
      body: body ?? null,
      headers: { ...(lastEventId && { 'last-event-id': lastEventId }), ...headers, ...init?.headers },
    });

/** ms for which a case must go on to hold: longer than any of these clients waits before it reconnects. */
const SETTLED = 6_000;

const NAMES = ['message', 'tick'];

/** Each as its documentation says. */
const clients: Record<string, Follow> = {
  '@tidings/client'(url, request, see) {
    const events = connect(url, { ...request, retry: { initial: 50 }, text: NAMES });
    for (const name of NAMES) events.on(name, ({ data }) => see(name, String(data)));
    return () => events.close();
  },
  eventsource(url, request, see) {
    const source = new EventSource(url, { fetch: fetchWith(request) });
    for (const name of NAMES) source.addEventListener(name, ({ data }) => see(name, data));
    return () => source.close();
  },
  'eventsource-client'(url, { lastEventId, ...request }, see) {
    const source = createEventSource({
      url,
      ...request,
      ...(lastEventId && { initialLastEventId: lastEventId }),
      onMessage: ({ event = 'message', data }) => see(event, data),
    });
    return () => source.close();
  },
  'fetch-event-source'(url, { lastEventId, headers, ...request }, see) {
    const { fetchEventSource } = require('@microsoft/fetch-event-source');
    const controller = new AbortController();
    fetchEventSource(url, {
      ...request,
      headers: { ...headers, ...(lastEventId && { 'last-event-id': lastEventId }) },
      signal: controller.signal,
      openWhenHidden: true,
      onmessage: ({ event, data }: { event: string; data: string }) => see(event || 'message', data),
    }).catch(() => {});
    return () => controller.abort();
  },
  'reconnecting-eventsource'(url, request, see) {
    const { default: ReconnectingEventSource } = require('reconnecting-eventsource');
    class Source extends EventSource {
      constructor(address: string) {
        super(address, { fetch: fetchWith(request) });
      }
    }
    const source = new ReconnectingEventSource(url, { eventSourceClass: Source, max_retry_time: 50 });
    for (const name of NAMES) {
      source.addEventListener(name, ({ data }: MessageEvent) => see(name, data));
    }
    return () => source.close();
  },
};

const progresses = new Map<string, { of: ClientCase; progress: Progress }>();
let server: Running;

beforeAll(async () => {
  // What fetch-event-source expects of a page.
  vi.stubGlobal('window', globalThis);
  vi.stubGlobal('document', undefined);
  vi.stubGlobal('document', { addEventListener() {}, removeEventListener() {}, visibilityState: 'visible' });
  const handle = async (req: http.IncomingMessage, res: http.ServerResponse) => {
    const { of, progress } = progresses.get(String(req.url)) ?? {};
    if (of === undefined || progress === undefined) return res.end();
    const n = progress.requests.length;
    progress.requests.push(Object.assign(req, { body: '' }));
    Object.assign(req, { body: await text(req) });
    return of.respond(res, n, req);
  };
  server = await run(http.createServer(handle));
});
afterAll(() => {
  vi.unstubAllGlobals();
  server.kill();
});

/** The client that has to pass all cases. */
const OWN = '@tidings/client';

/** Whether a client does what a case asks for. */
async function passes(name: string, of: ClientCase, n: number): Promise<boolean> {
  const path = `/${encodeURIComponent(name)}/${n}`;
  const progress: Progress = { events: [], requests: [] };
  progresses.set(path, { of, progress });
  const follow = clients[name] as Follow;
  const close = follow(server.origin + path, of.request ?? {}, (event, data) =>
    progress.events.push([event, data]),
  );
  try {
    // Others never pass some cases.
    const end = Date.now() + (name === OWN ? 60_000 : 20_000);
    while (!of.holds(progress)) {
      if (Date.now() > end) return false;
      await delay(5);
    }
    if (of.fails === undefined) return true;
    const settled = Date.now() + SETTLED;
    while (Date.now() < settled) {
      if (of.fails(progress)) return false;
      await delay(20);
    }
    return true;
  } finally {
    close();
  }
}

const results = new Map<string, string[]>();

test.concurrent.each(Object.keys(clients))('%s', async name => {
  const outcomes = await Promise.all(clientCases.map((of, n) => passes(name, of, n)));
  const failed = clientCases.filter((_, n) => !outcomes[n]).map(of => of.name);
  results.set(name, failed);
  if (name === OWN) expect(failed).toEqual([]);
  if (process.env.CASES) console.log(name, failed);
});

test('the figures match the documentation', () => {
  const passed = Object.keys(clients).map(name => clientCases.length - (results.get(name)?.length ?? 0));
  const page = readFileSync(`${root}docs/client.md`, 'utf8');
  const [row = ''] = /^\| cases passed.*$/m.exec(page) ?? [];
  const [count, ...documented] = row.match(/\d+/g)?.map(Number) ?? [];
  expect(count).toBe(clientCases.length);
  // The timers of others may be late on a busy machine.
  const differences = documented.map((number, n) => Math.abs(number - (passed[n] ?? 0)));
  expect(differences.filter(difference => difference > 1)).toEqual([]);
  expect(documented).toHaveLength(passed.length);
});
