import { getRequestListener } from '@hono/node-server';
import { createHub, type Hub } from '@tidings/core';
import * as forExpress from '@tidings/express';
import * as forFastify from '@tidings/fastify';
import * as forHono from '@tidings/hono';
import * as forKoa from '@tidings/koa';
import express from 'express';
// @ts-expect-error Express 4 comes under another name, and its types with Express 5
import express4 from 'express4';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { afterEach, describe, expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { MemoryLog } from '../support/memory-broker.ts';
import { dataOf, resetsOf } from '../support/received.ts';
import { listen, type Running, run } from '../support/server.ts';

const running: Running[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
});

/** Each serves `/events`, a stream of the client in the query, and `/control`. */
type Serve = (hub: Hub) => Promise<Running>;

/** The user of a request, by the header `user`. */
const userIn = (header: unknown) => (typeof header === 'string' ? header : undefined);

function onExpress(create: () => ReturnType<typeof express>, parser?: () => unknown): Serve {
  return hub => {
    const app = create();
    app.use(forExpress.sse({ hub }));
    if (parser !== undefined) app.use(parser() as ReturnType<typeof express.json>);
    app.get('/events', (req, res) => {
      res.sse({ client: userIn(req.headers.user) }).subscribe('all');
    });
    app.all('/control', forExpress.sse.control({ client: req => userIn(req.headers.user) }));
    return listen(app);
  };
}

const adapters: Record<string, Serve> = {
  'Express 4': onExpress(express4),
  'Express 5': onExpress(express),
  'Express 5, with a body parser': onExpress(express, () => express.json()),
  Koa: hub => {
    const app = new Koa();
    app.use(forKoa.sse({ hub }));
    const control = forKoa.sse.control({ client: ctx => userIn(ctx.headers.user) });
    app.use((ctx, next) => {
      if (ctx.path === '/control') return control(ctx as never, next);
      ctx.sse({ client: userIn(ctx.headers.user) }).subscribe('all');
      return undefined;
    });
    return listen(app.callback());
  },
  Hono: hub => {
    const app = new Hono();
    app.use(forHono.sse({ hub }));
    app.get('/events', c => {
      return c.var.sse(stream => void stream.subscribe('all'), { client: c.req.header('user') });
    });
    app.all('/control', forHono.sse.control({ client: c => c.req.header('user') }));
    return listen(getRequestListener(app.fetch));
  },
  Fastify: async hub => {
    const app = fastify();
    app.register(forFastify.sse({ hub }));
    app.get('/events', (request, reply) => {
      return reply.sse(stream => void stream.subscribe('all'), { client: userIn(request.headers.user) });
    });
    app.post('/control', forFastify.sse.control({ client: request => userIn(request.headers.user) }));
    await app.listen({ port: 0, host: '127.0.0.1' });
    return run(app.server);
  },
};

const authorize = (channel: string) => channel !== 'secret';

async function serve(adapter: Serve, hub: Hub): Promise<string> {
  const server = await adapter(hub);
  running.push(server);
  return server.origin;
}

async function post(origin: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${origin}/control`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', user: 'ann', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const position = response.headers.get('tidings-position') ?? undefined;
  return { status: response.status, reason: text === '' ? undefined : JSON.parse(text).reason, position };
}

describe.each(Object.entries(adapters))('sse.control on %s', (name, adapter) => {
  it('changes the channels of a stream of the client', async () => {
    const hub = createHub({ authorize, onError: () => {} });
    const origin = await serve(adapter, hub);
    const ann = await request(origin, '/events', { headers: { user: 'ann' } });
    const stream = ann.headers['tidings-stream'] as string;
    expect(stream).toMatch(/^[0-9a-f-]{36}$/);
    const id = await hub.publish('room', 'seen');
    await hub.publish('room', 'missed');
    const subscribe = ['room', 'secret'];
    expect(await post(origin, { stream, subscribe, unsubscribe: ['all'], lastEventId: id })).toEqual({
      status: 204,
      reason: undefined,
      position: await hub.position(),
    });
    for (const channel of ['all', 'secret', 'room']) await hub.publish(channel, `in ${channel}`);
    await ann.until(client => dataOf(client).includes('in room'));
    expect(dataOf(ann)).toEqual(['missed', 'in room']);
    await hub.close({ within: 0 });
  });

  it('refuses all other requests, with a reason', async () => {
    const hub = createHub({ authorize, onError: () => {} });
    const origin = await serve(adapter, hub);
    const ann = await request(origin, '/events', { headers: { user: 'ann' } });
    const stream = ann.headers['tidings-stream'] as string;
    const body = { stream, subscribe: ['room'] };
    expect(await post(origin, body, { user: 'bob' })).toEqual({ status: 404, reason: 'stream' });
    expect(await post(origin, body, { origin: 'https://evil.example' })).toEqual({
      status: 403,
      reason: 'origin',
    });
    for (const site of ['cross-site', 'same-site', 'none']) {
      expect(await post(origin, body, { origin, 'sec-fetch-site': site })).toMatchObject({ status: 403 });
    }
    for (const wrong of [
      {},
      { stream: 1 },
      { stream, subscribe: 'room' },
      { stream, subscribe: ['\0control'] },
    ]) {
      expect(await post(origin, wrong)).toEqual({ status: 400, reason: 'body' });
    }
    expect((await post(origin, body, { 'content-type': 'text/plain' })).status).toBe(415);
    const anonymous = await fetch(`${origin}/control`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(anonymous.status).toBe(401);
    if (name !== 'Fastify') expect((await fetch(`${origin}/control`)).status).toBe(405);
    // Those with a good reason.
    expect(await post(origin, body, { origin, 'sec-fetch-site': 'same-origin' })).toMatchObject({
      status: 204,
    });
    expect(await post(origin, body, { origin })).toMatchObject({ status: 204 });
    await hub.close({ within: 0 });
  });
});

describe('sse.control', () => {
  const adapter = adapters['Express 5'] as Serve;

  it('works in a process that does not have the stream, only for its owner', async () => {
    const log = new MemoryLog();
    const hubs = [log, log].map(each => createHub({ authorize, onError: () => {}, broker: each.broker() }));
    const [one, two] = hubs as [Hub, Hub];
    const [here, there] = [await serve(adapter, one), await serve(adapter, two)];
    const ann = await request(here, '/events', { headers: { user: 'ann' } });
    const stream = ann.headers['tidings-stream'] as string;
    expect(await post(there, { stream, subscribe: ['of bob'] }, { user: 'bob' })).toMatchObject({
      status: 204,
    });
    expect(await post(there, { stream, subscribe: ['room'] })).toMatchObject({ status: 204 });
    for (const channel of ['of bob', 'room']) await two.publish(channel, `in ${channel}`);
    await ann.until(client => dataOf(client).includes('in room'));
    expect(dataOf(ann)).toEqual(['in room']);
    await Promise.all(hubs.map(hub => hub.close({ within: 0 })));
  });

  it('does not subscribe if the hub has no authorize', async () => {
    const hub = createHub();
    const origin = await serve(adapter, hub);
    const ann = await request(origin, '/events', { headers: { user: 'ann' } });
    const stream = ann.headers['tidings-stream'] as string;
    expect(await post(origin, { stream, subscribe: ['room'] })).toEqual({ status: 403, reason: 'authorize' });
    expect(await post(origin, { stream, unsubscribe: ['all'] })).toMatchObject({ status: 204 });
    await hub.close({ within: 0 });
  });

  it('sends a reset if the page cannot determine which older events it has received', async () => {
    const hub = createHub({ authorize });
    const origin = await serve(adapter, hub);
    const ann = await request(origin, '/events', { headers: { user: 'ann' } });
    const stream = ann.headers['tidings-stream'] as string;
    const id = await hub.publish('room', 'seen');
    await hub.publish('room', 'perhaps seen');
    await post(origin, { stream, subscribe: ['room'], lastEventId: `${id}~` });
    await ann.until(client => dataOf(client).includes('perhaps seen'));
    expect(resetsOf(ann)).toEqual([{ reason: 'unknown', channels: ['room'] }]);
    await hub.close({ within: 0 });
  });

  it('sends no stream header without a client', async () => {
    const hub = createHub();
    const origin = await serve(adapter, hub);
    const nobody = await request(origin, '/events');
    expect(nobody.headers).not.toHaveProperty('tidings-stream');
    await hub.close({ within: 0 });
  });
});
