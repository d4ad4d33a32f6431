import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { getRequestListener } from '@hono/node-server';
import { createHub, type Hub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { sse } from '@tidings/hono';
import { inspector } from '@tidings/inspector';
import { inspector as fetchInspector } from '@tidings/inspector/fetch';
import { inspector as honoInspector } from '@tidings/inspector/hono';
import { inspector as koaInspector } from '@tidings/inspector/koa';
import express from 'express';
import { Hono } from 'hono';
import Koa from 'koa';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { listen } from '../support/server.ts';

interface Options {
  authorize?: (request: unknown) => boolean | Promise<boolean>;
}

type Listener = Parameters<typeof listen>[0];

/** Each entry, in an application that answers `/stream` itself. */
const servers: Record<string, (hub: Hub, options?: Options) => Listener> = {
  Express: (hub, options) => {
    const app = express();
    app.use('/_tidings', inspector({ hub, ...options }));
    app.get('/stream', (req, res) => void openStream(req, res, { hub, client: 'ann' }).subscribe('news'));
    return app;
  },
  Koa: (hub, options) => {
    const app = new Koa();
    app.use(koaInspector({ hub, path: '/_tidings', ...options }));
    app.use(ctx => {
      ctx.respond = false;
      openStream(ctx.req, ctx.res, { hub, client: 'ann' }).subscribe('news');
    });
    return app.callback();
  },
  Hono: (hub, options) => {
    const app = new Hono();
    app.use(honoInspector({ hub, path: '/_tidings', ...options }));
    app.use(sse({ hub }));
    app.get('/stream', c => c.var.sse(stream => stream.subscribe('news'), { client: 'ann' }));
    return getRequestListener(app.fetch);
  },
  fetch: (hub, options) => {
    const inspect = fetchInspector({ hub, path: '/_tidings', ...options });
    return (req, res) => {
      if (req.url === '/stream') {
        openStream(req, res, { hub, client: 'ann' }).subscribe('news');
        return;
      }
      const { remoteAddress } = req.socket;
      const { httpVersion } = req;
      const answer = async (request: Request) =>
        (await inspect(request, { remoteAddress, httpVersion })) ?? new Response(null, { status: 404 });
      getRequestListener(answer)(req, res);
    };
  },
};

/** What the page sends along. */
const own = { 'x-tidings-inspector': '1' };

describe.each(Object.entries(servers))('the inspector on %s', (_name, serve) => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    vi.unstubAllEnvs();
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function start(options?: Options) {
    const hub = createHub();
    const at = await listen(serve(hub, options));
    closers.push(
      () => at.kill(),
      () => hub.close({ within: 0 }),
    );
    const get = (path: string, headers = {}, method = 'GET') => request(at.origin, path, { headers, method });
    return { hub, get, origin: at.origin };
  }
  const statusOf = async (response: Promise<Client>) => (await response).status;

  it('serves its page and everything that the page loads', async () => {
    const { get } = await start();
    const page = await get('/_tidings/');
    await page.ended;
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    const loaded = [...page.text.matchAll(/(?:src|href)="([^":]+)"|: "\.\/(lib\/[^"]+)"/g)].map(
      ([, file, library]) => file ?? library,
    );
    expect(loaded.length).toBeGreaterThan(5);
    for (const file of loaded) expect([file, await statusOf(get(`/_tidings/${file}`))]).toEqual([file, 200]);
    const app = await get('/_tidings/app.js');
    await app.ended;
    for (const [, file] of app.text.matchAll(/from '\.\/([^']+)'/g)) {
      expect([file, await statusOf(get(`/_tidings/${file}`))]).toEqual([file, 200]);
    }
    expect(await statusOf(get('/_tidings/app.js', { 'if-none-match': String(app.headers.etag) }))).toBe(304);
    expect(await statusOf(get('/_tidings/package.json'))).toBe(404);
    expect(await statusOf(get('/_tidings/constructor'))).toBe(404);
  });

  it('redirects to the page with a trailing slash', async () => {
    const { get } = await start();
    const { status, headers } = await get('/_tidings');
    expect(status).toBe(308);
    expect(new URL(String(headers.location), 'http://x/_tidings').pathname).toBe('/_tidings/');
  });

  it('allows no foreign script, no frame and no sniffing', async () => {
    const { get } = await start();
    const { headers } = await get('/_tidings/');
    expect(headers['content-security-policy']).toMatch(
      /default-src 'none'.*script-src 'self' 'sha256-[\w+/=]{44}';.*frame-ancestors 'none'/,
    );
    expect(headers['x-frame-options']).toBe('DENY');
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  it('shows the open streams, and none of its own', async () => {
    const { hub, get } = await start();
    const stream = await get('/stream');
    hub.publish('news', 'hello');
    await stream.until(({ events }) => events.length > 0);
    const feed = await get('/_tidings/feed');
    const rows = await get('/_tidings/rows?table=streams&limit=10');
    await rows.until(({ events }) => events.length > 0);
    const [first] = rows.events.map(({ data }) => JSON.parse(data));
    expect(first).toMatchObject({ total: 1, offset: 0 });
    expect(first.rows).toMatchObject([
      { client: 'ann', channels: ['news'], channelCount: 1, lagEvents: 0, url: '/stream' },
    ]);
    await feed.until(({ events }) => events.some(({ data }) => data.includes('"stats"')));
    const messages = feed.events.filter(({ event }) => event === undefined);
    const sample = messages.map(({ data }) => JSON.parse(data)).find(each => 'stats' in each);
    expect(sample.stats).toMatchObject({ streams: 1, published: 1, delivered: 1 });
  });

  it('assigns no ids to streams, and finds streams by existing ids', async () => {
    const { hub, get } = await start();
    const stream = await get('/stream');
    hub.publish('news', 'hello');
    await stream.until(({ events }) => events.length > 0);
    const firstOf = async (query: string) => {
      const rows = await get(`/_tidings/rows?table=streams&limit=10${query}`);
      await rows.until(({ events }) => events.length > 0);
      rows.leave();
      return JSON.parse(rows.events[0]?.data ?? '');
    };
    expect(await firstOf('&search=nothing-like-it')).toMatchObject({ total: 0 });
    const [{ name }] = (await firstOf('')).rows;
    const [open] = hub.streams;
    expect(open?.stats().id).toBeUndefined();
    const id = String(open?.id);
    expect(await firstOf(`&search=${id.slice(0, 8).toUpperCase()}`)).toMatchObject({
      total: 1,
      rows: [{ id, name }],
    });
    expect(await statusOf(get('/_tidings/disconnect?stream=other-1', own, 'POST'))).toBe(404);
    expect(await statusOf(get(`/_tidings/disconnect?stream=${name}`, own, 'POST'))).toBe(200);
    expect(await stream.ended).toBe(true);
  });

  it('shows the channels, and the latest events of one', async () => {
    const { hub, get } = await start();
    hub.publish('news', { title: 'first' }, { event: 'post', key: 'k' });
    const rows = await get('/_tidings/rows?table=channels&limit=10&search=NEW');
    await rows.until(({ events }) => events.length > 0);
    expect(JSON.parse(rows.events[0]?.data ?? '')).toMatchObject({
      total: 1,
      rows: [{ name: 'news', retained: 1 }],
    });
    const tail = await get('/_tidings/tail?channel=news');
    await tail.until(({ events }) => events.length > 0);
    hub.publish('news', 'x'.repeat(10_000));
    await tail.until(({ events }) => events.length > 1);
    const [[first], [second]] = tail.events.map(({ data }) => JSON.parse(data));
    expect(first).toMatchObject({ event: 'post', key: 'k', data: { title: 'first' }, isCut: false });
    expect(second).toMatchObject({ data: 'x'.repeat(4_096), isCut: true });
    expect(await statusOf(get('/_tidings/tail'))).toBe(400);
    expect(await statusOf(get('/_tidings/tail?channel=%00control'))).toBe(400);
  });

  it('disconnects a stream for its own page only', async () => {
    const { hub, get } = await start();
    const stream = await get('/stream');
    hub.publish('news', 'hello');
    await stream.until(({ events }) => events.length > 0);
    const path = '/_tidings/disconnect?client=ann';
    expect(await statusOf(get(path, {}, 'POST'))).toBe(403);
    expect(await statusOf(get(path, { ...own, origin: 'https://evil.example' }, 'POST'))).toBe(403);
    expect(await statusOf(get(path, { ...own, origin: 'null' }, 'POST'))).toBe(403);
    expect(await statusOf(get('/_tidings/disconnect', own, 'POST'))).toBe(400);
    expect(hub.streams.size).toBe(1);
    expect(await statusOf(get(path, own, 'POST'))).toBe(200);
    expect(await stream.ended).toBe(true);
  });

  it('ends its pages when the hub closes, and opens no more', async () => {
    const { hub, get } = await start();
    const feed = await get('/_tidings/feed');
    const rows = await get('/_tidings/rows?table=streams&limit=10');
    await rows.until(({ events }) => events.length > 0);
    await hub.close();
    expect([await feed.ended, await rows.ended]).toEqual([true, true]);
    expect(await statusOf(get('/_tidings/feed'))).toBe(503);
    expect(await statusOf(get('/_tidings/'))).toBe(200);
  });

  it('opens no page of a hub that has closed before the first', async () => {
    const { hub, get } = await start();
    await hub.close();
    expect(await statusOf(get('/_tidings/feed'))).toBe(503);
  });

  it('responds to a failed authorize with an error only', async () => {
    const { get } = await start({ authorize: () => Promise.reject(new Error('of authorize')) });
    const response = await get('/_tidings/');
    await response.ended;
    expect(response.status).toBe(500);
    expect(response.text).not.toContain('Tidings inspector');
  });

  it('recognises its own page behind a proxy that changes Host', async () => {
    const { get } = await start({ authorize: () => true });
    const headers = { ...own, host: 'upstream:3000', origin: 'https://app.example' };
    const path = '/_tidings/disconnect?client=ann';
    expect(await statusOf(get(path, { ...headers, 'sec-fetch-site': 'same-origin' }, 'POST'))).toBe(200);
    expect(await statusOf(get(path, { ...headers, 'sec-fetch-site': 'same-site' }, 'POST'))).toBe(403);
    expect(await statusOf(get(path, headers, 'POST'))).toBe(403);
  });

  it('refuses HTTP/1.0, which some proxies use and no browser', async () => {
    const { origin } = await start();
    const socket = connect(Number(new URL(origin).port), '127.0.0.1');
    socket.write('GET /_tidings/ HTTP/1.0\r\nHost: localhost:3000\r\n\r\n');
    const [line] = (await text(socket)).split('\r\n');
    expect(line).toContain('403');
  });

  it.each([
    ['a Host that is not local', { host: 'evil.example' }],
    ['a Host that only begins like a local one', { host: '127.0.0.1.evil.example' }],
    ['a proxy', { 'x-forwarded-for': '127.0.0.1' }],
    ['another origin', { origin: 'https://evil.example' }],
    ['a script of another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' }],
  ])('refuses %s', async (_case, headers) => {
    const { get } = await start();
    for (const path of ['/_tidings/', '/_tidings/feed', '/_tidings/rows', '/_tidings/app.js']) {
      expect([path, await statusOf(get(path, headers))]).toEqual([path, 403]);
    }
  });

  it('opens from a link on another site', async () => {
    const { get } = await start();
    expect(
      await statusOf(get('/_tidings/', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })),
    ).toBe(200);
  });

  it('is closed in production without authorize', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    const { get } = await start();
    expect(await statusOf(get('/_tidings/'))).toBe(403);
    expect(await statusOf(get('/_tidings/feed'))).toBe(403);
  });

  it('calls authorize, and opens only for true', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    const answers: [unknown, number][] = [
      [true, 200],
      [Promise.resolve(true), 200],
      [false, 403],
      [Promise.resolve(false), 403],
      ['yes', 403],
    ];
    for (const [answer, status] of answers) {
      const { get } = await start({ authorize: () => answer as boolean });
      expect([
        answer,
        await statusOf(get('/_tidings/', { host: 'app.example', 'x-forwarded-for': '1.2.3.4' })),
      ]).toEqual([answer, status]);
    }
  });
});
