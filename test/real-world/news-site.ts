import http from 'node:http';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createHub, type Hub } from '@tidings/core';
import { sse } from '@tidings/express';
import express, { type Express, type Request } from 'express';
import type { TestContext } from 'vitest';
import { eventually } from '../support/client.ts';
import { run } from '../support/server.ts';

const MODULES = fileURLToPath(new URL('../node_modules', import.meta.url));

/** A server on Express whose `/news` is a channel, for clients that come back. */
export interface NewsSite {
  app: Express;
  hub: Hub;
  origin: string;
  /** Those for something else than a page and its scripts. */
  requests: Request[];
  /** Ends every stream, properly. */
  end(): void;
  /** Kills every connection, without a FIN. */
  cut(): void;
}

/** @param page is what `/page` answers; the packages of npm are under `/node_modules`. */
export async function startNewsSite(
  { onTestFinished }: TestContext,
  page = '<!doctype html><title>Page</title>',
): Promise<NewsSite> {
  // So often that clients which take heartbeats for events are seen.
  const hub = createHub({ heartbeat: 100 });
  const requests: Request[] = [];
  const app = express();
  app.use('/node_modules', express.static(MODULES, { extensions: ['js'] }));
  app.get('/favicon.ico', (_req, res) => {
    res.sendStatus(204);
  });
  app.get('/page', (_req, res) => {
    res.send(page);
  });
  app.use(sse({ hub }), (req, _res, next) => {
    requests.push(req);
    next();
  });
  app.all('/news', (_req, res) => {
    res.sse({ retry: 50 }).subscribe('news');
  });
  const server = http.createServer(app);
  const sockets = new Set<Socket>();
  server.on('connection', socket => sockets.add(socket));
  const { origin, kill } = await run(server);
  onTestFinished(kill);
  return {
    app,
    hub,
    origin,
    requests,
    end() {
      for (const stream of hub.streams) stream.close();
    },
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
      sockets.clear();
    },
  };
}

/**
 * Publishes 60 numbers, some while the client is here, and some while it is away.
 *
 * @param publish is given each, and puts it on the channel `news`.
 * @param breaks happen one after the other, each while the client is here.
 * @returns the numbers.
 */
export async function publishThrough(
  { hub }: NewsSite,
  breaks: [() => void, () => void],
  publish: (n: string) => unknown,
): Promise<string[]> {
  await eventually(() => hub.streams.size === 1);
  const all = Array.from({ length: 60 }, (_, n) => String(n));
  const breakAt: Record<string, (() => void) | undefined> = { 15: breaks[0], 40: breaks[1] };
  for (const n of all) {
    if (breakAt[n]) await eventually(() => hub.streams.size === 1);
    await publish(n);
    breakAt[n]?.();
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  return all;
}
