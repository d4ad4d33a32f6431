import http from 'node:http';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createHub, type Hub } from '@tidings/core';
import { sse } from '@tidings/express';
import express, { type Request } from 'express';
import { afterAll, describe, expect, type TestContext, test } from 'vitest';
import { eventually } from '../support/client.ts';
import { run } from '../support/server.ts';
import { nodeClients } from './node-clients.ts';
import { closeBrowser, pageClients } from './page-clients.ts';
import { programClients } from './program-clients.ts';
import type { SseClient } from './sse-client.ts';
import { describeSubject } from './subject.ts';

const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));
const LINES = '\none:\n  two \n\ndata: ü 😀\n';

interface Followed {
  hub: Hub;
  requests: Request[];
  /** In the order in which they came: the name and the data of each. */
  seen: [type: string, data: string][];
  /** Kills every connection, without a FIN. */
  cut(): void;
  leave(): unknown;
}

async function follow(
  { follow }: SseClient,
  path: string,
  { onTestFinished }: TestContext,
): Promise<Followed> {
  const hub = createHub({ heartbeat: 100 });
  const requests: Request[] = [];
  const app = express();
  app.use('/node_modules', express.static(MODULES, { extensions: ['js'] }));
  app.get('/page', (_req, res) => {
    res.send('<!doctype html><link rel="icon" href="data:,"><title>Page</title>');
  });
  app.use(sse({ hub }), (req, _res, next) => {
    requests.push(req);
    next();
  });
  app.all('/news', (_req, res) => {
    res.sse({ retry: 50 }).subscribe('news');
  });
  app.all('/kinds', (_req, res) => {
    const stream = res.sse();
    stream.send('plain');
    stream.send(LINES, { event: 'tick', id: 'ü-7' });
    stream.send({ text: ' ' });
  });
  const server = http.createServer(app);
  const sockets = new Set<Socket>();
  server.on('connection', socket => sockets.add(socket));
  const { origin, kill } = await run(server);
  onTestFinished(kill);

  const seen: Followed['seen'] = [];
  const leave = await follow(origin + path, (type, data) => seen.push([type, data]));
  onTestFinished(async () => void (await leave()));
  return {
    hub,
    requests,
    seen,
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
      sockets.clear();
    },
    leave,
  };
}

describe.concurrent('Clients', () => {
  afterAll(closeBrowser);

  for (const client of [...nodeClients, ...pageClients, ...programClients]) {
    describeSubject(client, () => {
      const { note, reads = data => data, isLostWhenCut = false } = client;

      test('named events, several lines, and the server sees it leave', async context => {
        if (note !== undefined) await context.annotate(note, 'note');
        const { hub, seen, leave } = await follow(client, '/kinds', context);
        const kinds = [
          ['message', 'plain'],
          ['tick', reads(LINES)],
          ['message', '{"text":" "}'],
        ];
        await context.expect.poll(() => seen, { timeout: 20_000 }).toEqual(kinds);
        // Heartbeats are not events.
        await new Promise(resolve => setTimeout(resolve, 300));
        expect(seen).toEqual(kinds);
        await leave();
        await eventually(() => hub.streams.size === 0);
      });

      test(`resume after a clean end${isLostWhenCut ? '' : ' and after a killed connection'}: nothing lost, nothing twice`, async context => {
        const { hub, requests, seen, cut } = await follow(client, '/news', context);
        const end = () => {
          for (const stream of hub.streams) stream.close();
        };
        await eventually(() => hub.streams.size === 1);
        const all = Array.from({ length: 60 }, (_, n) => String(n));
        const breaks = new Map([
          ['15', end],
          ['40', isLostWhenCut ? end : cut],
        ]);
        for (const n of all) {
          if (breaks.has(n)) await eventually(() => hub.streams.size === 1);
          await hub.publish('news', n);
          breaks.get(n)?.();
          // Some while it is here, and some while it is away.
          await new Promise(resolve => setTimeout(resolve, 10));
        }
        await context.expect.poll(() => seen, { timeout: 20_000 }).toEqual(all.map(n => ['message', n]));
        expect(requests).toHaveLength(3);
      });
    });
  }
});
