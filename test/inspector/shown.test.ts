import { createHub, type Hub, type HubOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { inspector } from '@tidings/inspector';
import express from 'express';
import { afterEach, expect, it } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { open } from '../support/memory-stream.ts';
import { listen } from '../support/server.ts';

function incidentsOf(feed: Client) {
  return feed.events.flatMap(({ data, event }) => {
    const item = event === undefined ? JSON.parse(data) : {};
    return 'kind' in item ? [item] : [];
  });
}

const hubs: Hub[] = [];
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) close();
  await Promise.all(hubs.splice(0).map(hub => hub.close({ within: 0 })));
});

function createShown(options: HubOptions = {}): Hub {
  const hub = createHub({ onError: () => {}, ...options });
  hubs.push(hub);
  return hub;
}

async function show(hub: Hub, data?: unknown) {
  const app = express();
  app.use('/_tidings', inspector({ hub }));
  app.get('/stream', (req, res) => {
    openStream(req, res, { hub, client: 'ann', data }).subscribe(['news', 'secret']);
  });
  const at = await listen(app);
  closers.push(() => at.kill());
  return (path: string) => request(at.origin, path);
}

it('has the data of streams as text, whatever it is', async () => {
  const hub = createShown();
  const circular: Record<string, unknown> = { role: 'admin', big: 'x'.repeat(10_000), n: 1n };
  circular.self = circular;
  const get = await show(hub, circular);
  await get('/stream');
  const rows = await get('/_tidings/rows?table=streams&limit=10');
  await rows.until(({ events }) => events.length > 0);
  const [{ data }] = JSON.parse(rows.events[0]?.data ?? '').rows;
  expect(data).toMatch(/role: 'admin'[\s\S]*n: 1n/);
  expect(data.length).toBeLessThanOrEqual(1_000);
});

it('logs channels that streams may not follow, and streams that close', async () => {
  const hub = createShown({ authorize: channel => channel === 'news' });
  const get = await show(hub);
  const feed = await get('/_tidings/feed');
  const stream = await get('/stream');
  hub.publish('news', 1);
  await stream.until(({ events }) => events.length > 0);
  await hub.clients.disconnect('ann');
  await feed.until(() => incidentsOf(feed).length > 1);
  expect(incidentsOf(feed)).toMatchObject([
    { number: 1, kind: 'denied', client: 'ann', reason: 'refused', channels: ['secret'] },
    { number: 2, kind: 'closed', client: 'ann', reason: 'closed' },
  ]);
});

it('counts the entries of a reconnect storm that it does not show', async () => {
  const hub = createShown({ limits: { streams: 0 } });
  const get = await show(hub);
  const feed = await get('/_tidings/feed');
  // In one tick, so in one second.
  for (let i = 0; i < 60; i++) open(hub);
  await feed.until(() => incidentsOf(feed).length === 51);
  expect(incidentsOf(feed).filter(({ kind }) => kind === 'refused')).toHaveLength(50);
  expect(incidentsOf(feed).at(-1)).toMatchObject({ kind: 'omitted', reason: '10 more' });
});
