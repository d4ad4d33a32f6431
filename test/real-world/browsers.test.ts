import http from 'node:http';
import http2 from 'node:http2';
import type { Socket } from 'node:net';
import { createHub, type Hub, type HubOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { sse } from '@tidings/express';
import express, { type Request } from 'express';
import { generate } from 'selfsigned';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/client.ts';
import { clientFiles } from '../support/client-files.ts';
import { type Running, run } from '../support/server.ts';
import { browsers, type Page } from './browser-drivers.ts';
import { describeSubject } from './subject.ts';

/** A page that follows what its URL names, and notes what it is told. */
const PAGE = `<!doctype html><title>Page</title><link rel="icon" href="data:,"><script>
  const seen = [], sources = [];
  let opened = 0;
  function follow(url, options) {
    const source = new EventSource(url, options);
    source.onopen = () => opened++;
    for (const type of ['message', 'tick', 'reset'])
      source.addEventListener(type, event => seen.push([event.type, event.data, event.lastEventId]));
    sources.push(source);
  }
  const url = new URLSearchParams(location.search).get('follow');
  if (url) follow(url);
</script>`;

type Seen = [type: string, data: string, id: string];

interface Site {
  hub: Hub;
  origin: string;
  requests: Request[];
  /** Kills every connection, without a FIN. */
  cut(): void;
}

/** A page that follows by @tidings/client, and notes what it receives. */
const CLIENT_PAGE = `<!doctype html><title>Client</title><link rel="icon" href="data:,"><script type="module">
  import { connect } from '/client.js';
  window.seen = [];
  window.states = [];
  const search = new URLSearchParams(location.search);
  const url = search.get('follow');
  const shared = search.has('shared');
  const headers = () => ({ 'x-token': String(states.length) });
  const retry = { initial: 50, max: 100 };
  window.events = connect(url, { headers, retry, shared, storage: sessionStorage });
  events.on('state', state => states.push(state));
  for (const name of ['message', 'tick', 'reset'])
    events.on(name, ({ event, data, id = '' }) => {
      seen.push([event, data, id]);
      // What the tab has received, also before it was navigated.
      sessionStorage.received = (sessionStorage.received ?? '') + ' ' + (event === 'reset' ? event : data);
    });
</script>`;

/** Tabs that share a connection, how often its owner is closed or navigated meanwhile, and how many events at least. */
const TABS = Number(process.env.TABS ?? 3);
const LOSSES = Number(process.env.LOSSES ?? 3);
const EVENTS = Number(process.env.EVENTS ?? 300);

const running: Running[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
});

const files = await clientFiles();

async function serve(options: HubOptions = {}): Promise<Site> {
  const hub = createHub(options);
  const requests: Request[] = [];
  const app = express();
  app.use(sse({ hub }));
  app.get('/page', (_req, res) => {
    res.cookie('session', 'ann').send(PAGE);
  });
  app.get('/client', (_req, res) => {
    res.send(CLIENT_PAGE);
  });
  app.get([...files.keys()], (req, res) => {
    res.type('text/javascript').send(files.get(req.path));
  });
  app.get('/other', (_req, res) => {
    res.send('<title>Other</title>');
  });
  app.use((req, res, next) => {
    requests.push(req);
    if (req.headers.origin) {
      res.set({
        'Access-Control-Allow-Origin': req.headers.origin,
        'Access-Control-Allow-Credentials': String('credentials' in req.query),
      });
    }
    next();
  });
  app.get('/news', (req, res) => {
    res.sse({ retry: Number(req.query.retry ?? 50) }).subscribe('news');
  });
  app.get('/kinds', (_req, res) => {
    const stream = res.sse();
    stream.send('plain');
    stream.send('one\ntwo\n\nthree ü 😀', { event: 'tick', id: 'ü-7' });
    stream.send({ text: ' ' });
  });
  app.get('/source', (_req, res) => {
    res.sse({ retry: 50 }).stream(['a', 'b']);
  });
  app.get('/cookie', (req, res) => {
    res.sse().send(req.headers.cookie ?? 'none');
  });
  const server = http.createServer(app);
  const sockets = new Set<Socket>();
  server.on('connection', socket => sockets.add(socket));
  const started = await run(server);
  running.push(started);
  return {
    hub,
    origin: started.origin,
    requests,
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
      sockets.clear();
    },
  };
}

describe('Browsers', () => {
  for (const { name, program, keepsPages, start } of browsers) {
    describeSubject({ name, program }, () => {
      let page: Page;
      beforeAll(async () => {
        page = await start();
      });
      afterAll(() => page?.close());
      // So that nothing of one test comes back in the next.
      afterEach(() => page.open('about:blank'));

      const follow = ({ origin }: Site, path: string) =>
        page.open(`${origin}/page?follow=${encodeURIComponent(path)}`);
      const seen = () => page.evaluate<Seen[]>('seen');
      const data = async () => (await seen()).map(([, text]) => text);
      const poll = <T>(ask: () => Promise<T>) => expect.poll(ask, { interval: 20 });
      const isClosed = () => page.evaluate<boolean>('sources[0].readyState === EventSource.CLOSED');

      test('named events, several lines, ids', async () => {
        await follow(await serve(), '/kinds');
        await poll(seen).toEqual([
          ['message', 'plain', ''],
          ['tick', 'one\ntwo\n\nthree ü 😀', 'ü-7'],
          ['message', '{"text":" "}', 'ü-7'],
        ]);
      });

      test('resume after a normal end and after an aborted connection, without gaps or duplicates', async () => {
        const site = await serve();
        await follow(site, '/news');
        await eventually(() => site.hub.streams.size === 1);
        const all = Array.from({ length: 90 }, (_, n) => String(n));
        for (const n of all) {
          await site.hub.publish('news', n);
          if (n === '30') for (const stream of site.hub.streams) stream.close();
          if (n === '60') site.cut();
          // Some while it is here, and some while it is away.
          await new Promise(resolve => setTimeout(resolve, 10));
          if (n === '50') await eventually(() => site.requests.length === 2);
        }
        await poll(data).toEqual(all);
        expect(site.requests).toHaveLength(3);
      });

      test('a compressed response: each event immediately, and after an aborted connection', async () => {
        const site = await serve({ compression: { minStreams: 1 } });
        await follow(site, '/news');
        const rows = Array.from({ length: 20 }, (_, n) => `<tr id="row-${n}"><td>Server ${n}</td></tr>`);
        for (const [n, row] of rows.entries()) {
          await eventually(() => site.hub.streams.size === 1);
          await site.hub.publish('news', row);
          await poll(data).toEqual(rows.slice(0, n + 1));
          if (n !== 10) continue;
          site.cut();
          await eventually(() => site.requests.length === 2);
        }
        expect(site.requests[0]?.headers['accept-encoding']).toContain('gzip');
      });

      test('`reset` when events were trimmed, then the retained events', async () => {
        const site = await serve({ history: { events: 3 } });
        await follow(site, '/news');
        await eventually(() => site.hub.streams.size === 1);
        await site.hub.publish('news', 'first');
        await poll(data).toEqual(['first']);
        site.cut();
        for (let n = 0; n < 10; n++) site.hub.publish('news', n);
        await poll(async () => (await data()).at(-1)).toBe('9');
        const [, reset, ...left] = await seen();
        expect(reset?.[0]).toBe('reset');
        expect(JSON.parse(reset?.[1] ?? '')).toMatchObject({ channels: ['news'] });
        expect(left.map(([, text]) => text)).toEqual(['7', '8', '9']);
      });

      test('stops at the 204 after a channel has ended', async () => {
        const site = await serve();
        await follow(site, '/news');
        await eventually(() => site.hub.streams.size === 1);
        await site.hub.publish('news', 'last');
        await site.hub.channel('news').end();
        await poll(isClosed).toBe(true);
        expect(await data()).toEqual(['last']);
        expect(site.requests).toHaveLength(2);
      });

      test('requests a finished `stream()` once more, and then stops', async () => {
        const site = await serve();
        await follow(site, '/source');
        await poll(isClosed).toBe(true);
        expect(await data()).toEqual(['a', 'b']);
        expect(site.requests).toHaveLength(2);
      });

      test('waits for `retry`', async () => {
        const site = await serve();
        const pause = async (retry: number) => {
          site.requests.length = 0;
          await follow(site, `/news?retry=${retry}`);
          await eventually(() => site.hub.streams.size === 1);
          await poll(() => page.evaluate('opened')).toBe(1);
          for (const stream of site.hub.streams) stream.close();
          const before = performance.now();
          await eventually(() => site.requests.length === 2);
          const passed = performance.now() - before;
          await page.evaluate('sources[0].close()');
          await eventually(() => site.hub.streams.size === 0);
          return passed;
        };
        const long = await pause(2_000);
        expect(long).toBeGreaterThan(1_900);
        expect(long - (await pause(100))).toBeGreaterThan(1_000);
      });

      test('another origin, with and without cookies', async () => {
        const home = await serve();
        const away = await serve();
        await follow(home, `${away.origin}/cookie`);
        await poll(data).toEqual(['none']);
        await page.evaluate(`follow('${away.origin}/cookie?credentials', { withCredentials: true })`);
        await poll(data).toEqual(['none', 'session=ann']);
      });

      test('20 streams at once over HTTP/2', async () => {
        const hub = createHub();
        const versions = new Set<string>();
        const { private: key, cert } = await generate([{ name: 'commonName', value: '127.0.0.1' }]);
        const server = http2.createSecureServer({ key, cert, allowHTTP1: true }, (req, res) => {
          if (!req.url.startsWith('/news')) {
            res.setHeader('Content-Type', 'text/html');
            res.end(PAGE);
            return;
          }
          versions.add(req.httpVersion);
          openStream(req, res, { hub }).subscribe('news');
        });
        const started = await run(server);
        running.push(started);
        await page.open(`${started.origin.replace('http:', 'https:')}/page`);
        await page.evaluate(`Array.from({ length: 20 }, (_, n) => follow('/news?' + n)).length`);
        await poll(() => page.evaluate('opened')).toBe(20);
        await hub.publish('news', 'to all');
        await poll(data).toEqual(Array(20).fill('to all'));
        expect([...versions]).toEqual(['2.0']);
      });

      test('a page that the user leaves and returns to', async ({ annotate }) => {
        const site = await serve();
        await follow(site, '/news');
        await eventually(() => site.hub.streams.size === 1);
        await page.open(`${site.origin}/other`);
        if (keepsPages) {
          await annotate(
            'Keeps the stream of a page open for a while after the user has navigated away. Close it in `pagehide` if the server must detect this immediately',
            'note',
          );
          await site.hub.publish('news', 'meanwhile');
        } else {
          await eventually(() => site.hub.streams.size === 0);
        }
        await page.back();
        await eventually(() => site.hub.streams.size === 1);
        await site.hub.publish('news', 'again');
        await poll(data).toEqual(keepsPages ? ['meanwhile', 'again'] : ['again']);
      });

      test('a page that was hidden has received all events', async () => {
        const site = await serve();
        await follow(site, '/news');
        await eventually(() => site.hub.streams.size === 1);
        await page.evaluate(
          'void (document.onvisibilitychange = () => { window.wasHidden ||= document.hidden; })',
        );
        const all = Array.from({ length: 20 }, (_, n) => String(n));
        await page.whileHidden(async () => {
          for (const n of all) {
            await site.hub.publish('news', n);
            await new Promise(resolve => setTimeout(resolve, 100));
          }
        });
        await poll(data).toEqual(all);
        expect(await page.evaluate('window.wasHidden')).toBe(true);
      });

      describe('@tidings/client', () => {
        const connect = async (site: Site, path: string) => {
          await page.open(`${site.origin}/client?follow=${encodeURIComponent(path)}`);
        };
        const stateOf = () => page.evaluate<string>('events.state');

        test('named events, several lines, ids', async () => {
          const site = await serve();
          await connect(site, '/kinds');
          await poll(seen).toEqual([
            ['message', 'plain', ''],
            ['tick', 'one\ntwo\n\nthree ü 😀', 'ü-7'],
            ['message', { text: ' ' }, ''],
          ]);
          site.cut();
          await poll(async () => site.requests.length).toBe(2);
          // WebKitGTK encodes the header once more: its ids have to be ASCII, as those of Tidings are.
          expect(site.requests[1]?.headers['last-event-id']).toMatch(/-7$/);
        });

        test('resume after a normal end, an aborted connection and a reload, without gaps or duplicates', async () => {
          const site = await serve();
          await connect(site, '/news');
          await eventually(() => site.hub.streams.size === 1);
          const all = Array.from({ length: 90 }, (_, n) => n);
          for (const n of all) {
            await site.hub.publish('news', n);
            if (n === 30) for (const stream of site.hub.streams) stream.close();
            // On a busy machine, the client may not have connected again before.
            if (n === 60) {
              await eventually(() => site.requests.length === 2 && site.hub.streams.size === 1);
              site.cut();
            }
            await new Promise(resolve => setTimeout(resolve, 5));
          }
          await poll(data).toEqual(all);
          expect(site.requests[2]?.headers['x-token']).toBe('5');
          await page.open(`${site.origin}/other`);
          await site.hub.publish('news', 'while away');
          await connect(site, '/news');
          await poll(data).toEqual(['while away']);
        });

        test('the end of a stream, without a further request', async () => {
          const site = await serve();
          await connect(site, '/source');
          await poll(stateOf).toBe('ended');
          expect(await data()).toEqual(['a', 'b']);
          expect(site.requests).toHaveLength(1);
        });

        test('tabs share a connection: each receives every event once and in order, whatever the leader does', async () => {
          const site = await serve({ heartbeat: 250, history: { events: 20_000 } });
          const open = async (tab: Page) => {
            await tab.open(`${site.origin}/client?follow=/news&shared`);
            await poll(() => tab.evaluate('events.state')).toBe('open');
            return tab;
          };
          // In the order in which they own the connection.
          const tabs: Page[] = [];
          for (let n = 0; n < TABS; n++) tabs.push(await open(n === 0 ? page : await page.newTab()));
          await eventually(() => site.hub.streams.size === 1);
          const early = new Set(tabs);
          let isOver = false;
          let published = 0;
          const publishing = (async () => {
            while (published < EVENTS || !isOver) {
              await site.hub.publish('news', published++);
              await new Promise(resolve => setTimeout(resolve, 2));
            }
          })();
          for (let loss = 0; loss < LOSSES; loss++) {
            const owner = tabs.shift() as Page;
            const isClosed = loss % 2 === 1 && owner !== page;
            if (isClosed) await owner.close();
            else await owner.open(`${site.origin}/other`);
            tabs.push(await open(isClosed ? await page.newTab() : owner));
          }
          isOver = true;
          await publishing;
          const all = Array.from({ length: published }, (_, n) => String(n));
          for (const tab of tabs) {
            const received = async () =>
              (await tab.evaluate<string>('sessionStorage.received')).split(' ').slice(1);
            await poll(async () => (await received()).at(-1)).toBe(all.at(-1));
            const list = await received();
            expect(list).toEqual(early.has(tab) ? all : all.slice(-list.length));
          }
          await eventually(() => site.hub.streams.size === 1);
          for (const tab of tabs) if (tab !== page) await tab.close();
        });

        test('a stream is closed when the user navigates away, and resumes on return', async () => {
          const site = await serve();
          await connect(site, '/news');
          await eventually(() => site.hub.streams.size === 1);
          await site.hub.publish('news', 'first');
          await poll(data).toEqual(['first']);
          await page.open(`${site.origin}/other`);
          await eventually(() => site.hub.streams.size === 0);
          await site.hub.publish('news', 'meanwhile');
          await page.back();
          await poll(async () => (await data()).at(-1)).toBe('meanwhile');
          await page.evaluate('events.close()');
          await eventually(() => site.hub.streams.size === 0);
        });
      });

      test('the server detects a closed EventSource', async () => {
        const site = await serve();
        await follow(site, '/news');
        await eventually(() => site.hub.streams.size === 1);
        await page.evaluate('sources[0].close()');
        await eventually(() => site.hub.streams.size === 0);
      });
    });
  }
});
