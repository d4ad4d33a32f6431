import { once } from 'node:events';
import http from 'node:http';
import { createHub, type Hub, type HubStats } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { inspector } from '@tidings/inspector';
import express from 'express';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { FaultyProxy } from '../brokers/faulty-proxy.ts';
import { broker } from '../brokers/redis-clients.ts';
import { REDIS, RedisServer } from '../brokers/redis-server.ts';
import { crowd } from '../limits/crowd.ts';
import { type Child, start } from '../support/child.ts';
import { type Client, request } from '../support/client.ts';
import { inChromium, poll } from '../support/example.ts';
import { freePort, listen, type Running, run } from '../support/server.ts';
import { CHROMIUM, describeWith } from '../support/system.ts';

const CROWD = 1_000;
/** Clients that can be stalled. */
const SLOW = 3;
/** Streams of the other process. */
const FAR = 7;
const HOSTILE = '<img src=x onerror="window.hacked=1">';

const describePage = (name: string, tests: () => void) =>
  describeWith(CHROMIUM, name, () => describeWith(REDIS, 'with Redis', tests));

describePage('the page of the inspector', () => {
  const newContext = inChromium();
  let hub: Hub;
  let redis: RedisServer;
  let proxy: FaultyProxy;
  let other: Child;
  let at: Running;
  let streams: Client[];
  let errors: string[];

  beforeAll(async () => {
    redis = await RedisServer.start();
    proxy = await FaultyProxy.start(redis.port);
    hub = createHub({
      broker: broker(createClient({ url: proxy.url }), 'inspected'),
      limits: { streams: 2_000 },
      publishTimeout: 1_000,
      onError: () => {},
    });
    await hub.ready();
    other = await start(new URL('node.ts', import.meta.url), redis.url, String(FAR));
    const app = express();
    app.use('/_tidings', inspector({ hub }));
    app.get('/stream', (req, res) => {
      const { client, channel = 'news' } = req.query as { client?: string; channel?: string };
      openStream(req, res, { hub, client }).subscribe(channel);
    });
    at = await listen(app);
    streams = await crowd(CROWD - SLOW - 1, `${at.origin}/stream`);
    for (const [client, channel] of [...Array(SLOW).fill(['slow', 'flood']), [HOSTILE, HOSTILE]]) {
      streams.push(
        await request(
          at.origin,
          `/stream?${new URLSearchParams({ client, channel } as Record<string, string>)}`,
        ),
      );
    }
  });
  afterAll(async () => {
    at?.kill();
    other?.kill();
    await hub?.close({ within: 0 });
    proxy?.close();
    await redis?.remove();
  });
  beforeEach(() => {
    errors = [];
  });

  async function openPage(options?: BrowserContextOptions, origin = at.origin): Promise<Page> {
    const context = await newContext(options);
    const page = await context.newPage();
    page.on('pageerror', error => errors.push(error.message));
    page.on('console', message => message.type() === 'error' && errors.push(message.text()));
    await page.goto(`${origin}/_tidings/`);
    await page.getByText('Live', { exact: true }).waitFor();
    if (origin === at.origin) await page.locator('.row').first().waitFor();
    return page;
  }
  const figure = (page: Page, name: string) =>
    page.locator('.figure', { has: page.getByText(name, { exact: true }) });
  const search = (page: Page, text: string) => page.getByLabel('Search').fill(text);

  test('shows the live state of the hub', async () => {
    const page = await openPage();
    await figure(page, 'Streams').getByText('1,000', { exact: true }).waitFor();
    const before = hub.stats();
    hub.publish('news', { price: 1 });
    await page.getByText(`${(before.published + 1).toLocaleString('en')} in all`).waitFor();
    await page.getByLabel('1,000 streams').waitFor();
    // Only what is in view is in the page.
    expect(await page.locator('.row').count()).toBeLessThan(100);
    await page.getByLabel('1,000 streams').evaluate(table => table.scrollTo(0, table.scrollHeight));
    await page.locator('.row').last().waitFor();
    expect(errors).toEqual([]);
  });

  test('shows slow consumers first, with their lag', async () => {
    const page = await openPage();
    const slow = streams.slice(-1 - SLOW, -1);
    for (const client of slow) client.stall();
    for (let event = 0; event < 400; event++) await hub.publish('flood', 'x'.repeat(20_000));
    await page.getByRole('button', { name: 'Behind' }).click();
    await page
      .locator('.row', { hasText: 'slow' })
      .nth(SLOW - 1)
      .getByText(/^\d+ events/)
      .waitFor();
    await figure(page, 'Slow').getByText(String(SLOW), { exact: true }).waitFor();
    for (const client of slow) client.resume();
    await figure(page, 'Slow').getByText('all keep up').waitFor();
    expect(errors).toEqual([]);
  });

  test('shows an outage of the broker, its end, and the events published meanwhile', async () => {
    const page = await openPage();
    await figure(page, 'Broker').getByText('up', { exact: true }).waitFor();
    const before = hub.stats();
    // Heartbeats may carry markers, which are events, too.
    const received = () =>
      streams
        .slice(0, CROWD - SLOW - 1)
        .map(({ events }) => events.filter(({ event }) => event !== 'tidings').length);
    const receivedBefore = received();
    // Nothing listens there.
    proxy.target = await freePort();
    proxy.cut();
    await figure(page, 'Broker').getByText('away', { exact: true }).waitFor();
    await page.getByRole('tab', { name: /Processes/ }).click();
    await page.locator('.process', { hasText: 'this page' }).getByText('away', { exact: true }).waitFor();
    await expect(hub.publish('news', 'while it is away')).rejects.toThrow();

    proxy.target = redis.port;
    await figure(page, 'Broker').getByText('up', { exact: true }).waitFor();
    for (let event = 0; event < 5; event++) await hub.publish('news', 'back');
    await page.getByText(`${(before.published + 5).toLocaleString('en')} in all`).waitFor();
    await poll(() => received().map((count, index) => count - (receivedBefore[index] ?? 0))).toEqual(
      receivedBefore.map(() => 5),
    );
    // The slow clients may have received some before, and nobody since.
    const resets = () => streams.flatMap(({ events }) => events).filter(({ event }) => event === 'reset');
    await poll(() => resets().length).toBe(before.resets);
    await figure(page, 'Resets').getByText(String(before.resets), { exact: true }).waitFor();
    expect(errors).toEqual([]);
  });

  test('shows the processes of the hub', async () => {
    const page = await openPage();
    await page.getByRole('tab', { name: /Processes/ }).click();
    const cells = (process: string) => page.locator('.process', { hasText: process }).locator('td');
    await poll(() => cells('this page').allTextContents()).toEqual(
      expect.arrayContaining([CROWD.toLocaleString('en')]),
    );
    await poll(async () => (await cells(`pid ${other.pid}`).allTextContents()).slice(1, 3)).toEqual([
      String(FAR),
      String(FAR),
    ]);
    const { broker } = await other.ask<HubStats>('stats');
    expect(broker?.connected).toBe(true);
    expect(await page.locator('.process').count()).toBe(2);
    expect(errors).toEqual([]);
  });

  test('shows names that are HTML as text', async () => {
    const page = await openPage();
    await search(page, '<img');
    await page.locator('.row', { hasText: HOSTILE }).click();
    await page.getByRole('heading', { name: HOSTILE }).waitFor();
    await page.getByRole('tab', { name: /Channels/ }).click();
    await page.locator('.row', { hasText: HOSTILE }).click();
    hub.publish(HOSTILE, { html: HOSTILE }, { event: HOSTILE });
    await page.locator('.tail pre', { hasText: 'onerror' }).first().waitFor();
    expect(await page.evaluate(`'hacked' in window`)).toBe(false);
    expect(await page.locator('img').count()).toBe(0);
    expect(errors).toEqual([]);
  });

  test('follows the events of a channel, and can be paused', async () => {
    const page = await openPage();
    // A channel that no stream follows is not in memory.
    const client = await request(at.origin, '/stream?channel=tailed');
    hub.publish('tailed', { n: 0 });
    await page.getByRole('tab', { name: /Channels/ }).click();
    await page.locator('.row', { hasText: 'tailed' }).click();
    await page.locator('.tail pre', { hasText: '"n": 0' }).waitFor();
    hub.publish('tailed', { n: 1 });
    await page.locator('.tail pre', { hasText: '"n": 1' }).waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    hub.publish('tailed', { n: 2 });
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.locator('.tail pre', { hasText: '"n": 2' }).waitFor();
    expect(await page.locator('.tail li').count()).toBe(3);
    client.leave();
    expect(errors).toEqual([]);
  });

  test('disconnects a client, and shows that its stream has closed', async () => {
    const client = await request(at.origin, '/stream?client=eve');
    hub.publish('news', 'hello');
    await client.until(({ events }) => events.length > 0);
    const page = await openPage();
    page.on('dialog', dialog => dialog.accept());
    await search(page, 'eve');
    await page.locator('.row', { hasText: 'eve' }).click();
    await page.getByRole('button', { name: 'Disconnect client' }).click();
    await page.getByText('Disconnected.').waitFor();
    expect(await client.ended).toBe(true);
    await page.getByRole('tab', { name: /Log/ }).click();
    await page.locator('.log li', { hasText: 'eve' }).first().waitFor();
    expect(errors).toEqual([]);
  });

  test('can be used with the keyboard', async () => {
    const page = await openPage();
    await page.getByLabel('1,000 streams').focus();
    await page.keyboard.press('ArrowDown');
    await page.locator('.drawer').waitFor();
    const selected = () =>
      page.locator('.row').evaluateAll(rows => {
        return rows.findIndex(row => row.getAttribute('aria-selected') === 'true');
      });
    await poll(selected).toBe(0);
    await page.keyboard.press('ArrowDown');
    await poll(selected).toBe(1);
    await page.keyboard.press('Escape');
    await page.locator('.drawer').waitFor({ state: 'detached' });
  });

  test('closed details stay closed while the table is updated', async () => {
    const page = await openPage();
    await page.locator('.row').first().click();
    await page.locator('.drawer').waitFor();
    // What Preact does after the next paint, or 35 ms later, is never done.
    await page.evaluate(`
      const { setTimeout } = globalThis;
      const never = () => 0;
      globalThis.requestAnimationFrame = never;
      globalThis.setTimeout = (call, ms) => (ms === 35 ? never() : setTimeout(call, ms));
    `);
    const table = () => page.locator('.table').textContent();
    const before = await table();
    hub.publish('news', 'more');
    await poll(async () => (await table()) !== before).toBe(true);
    await page.keyboard.press('Escape');
    await page.locator('.drawer').waitFor({ state: 'detached' });
  });

  test('reconnects after a restart, even if a proxy has responded meanwhile', async () => {
    const serve = async (port = 0) => {
      const own = createHub();
      const app = express();
      app.use('/_tidings', inspector({ hub: own }));
      return { own, running: await listenAt(port, app) };
    };
    const listenAt = async (port: number, listener: http.RequestListener) => {
      const server = http.createServer(listener).listen(port, '127.0.0.1');
      await once(server, 'listening');
      return run(server);
    };
    const first = await serve();
    const { origin } = first.running;
    const page = await openPage(undefined, origin);
    await figure(page, 'Streams').getByText('0', { exact: true }).waitFor();

    await first.own.close();
    first.running.kill();
    const port = Number(new URL(origin).port);
    // A browser gives up when it gets this.
    let hasAnswered = false;
    const proxy = await listenAt(port, (_req, res) => {
      hasAnswered = true;
      res.writeHead(502).end();
    });
    await poll(() => hasAnswered).toBe(true);
    await page.getByText('Reconnecting', { exact: true }).waitFor();
    proxy.kill();

    const second = await serve(port);
    second.own.publish('a', 1);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText('1 in all').waitFor();
    await second.own.close();
    second.running.kill();
  });

  test.each(['light', 'dark'] as const)('fits a phone, %s', async colorScheme => {
    const page = await openPage({ viewport: { width: 390, height: 844 }, colorScheme });
    await page.locator('.chart canvas').first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await page.locator('.row').first().click();
    await page.locator('.drawer').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    expect(errors).toEqual([]);
  });
});
