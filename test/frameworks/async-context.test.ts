import { AsyncLocalStorage } from 'node:async_hooks';
import { getRequestListener } from '@hono/node-server';
import { createHub, type EventStream } from '@tidings/core';
import { sse as expressSse } from '@tidings/express';
import { sse as fastifySse } from '@tidings/fastify';
import { sse as honoSse } from '@tidings/hono';
import { sse as koaSse } from '@tidings/koa';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { contextStorage, getContext } from 'hono/context-storage';
import Koa from 'koa';
import { expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { listen, type Running, run } from '../support/server.ts';

const hub = createHub();
const tenants = new AsyncLocalStorage<string>();
const tenantOf = (url = '') => new URL(url, 'http://x').searchParams.get('tenant') ?? '';

/** Subscribes to the events of the tenant that the framework's async context names. */
function follow(stream: EventStream, tenant: () => string | undefined) {
  const ended: (string | undefined)[] = [];
  stream.subscribe('orders', { filter: ({ data }) => (data as { tenant: string }).tenant === tenant() });
  stream.signal.addEventListener('abort', () => ended.push(tenant()));
  return ended;
}

type Ended = (string | undefined)[];
/** Serves streams at `/`, and publishes an order of the tenant at `/publish`. */
const servers: [string, (use: (ended: Ended) => void) => Promise<Running>][] = [
  [
    'Express, with middleware that runs the request in a context',
    use => {
      const app = express();
      app.use((req, _res, next) => tenants.run(tenantOf(req.url), next));
      app.use(expressSse({ hub }));
      app.get('/', (_req, res) => use(follow(res.sse(), () => tenants.getStore())));
      app.get('/publish', async (_req, res) => {
        await hub.publish('orders', { tenant: tenants.getStore() });
        res.end();
      });
      return listen(app);
    },
  ],
  [
    'Koa, with app.currentContext',
    use => {
      const app = new Koa({ asyncLocalStorage: true });
      const tenant = () => app.currentContext?.query.tenant as string | undefined;
      app.use(koaSse({ hub }));
      app.use(async ctx => {
        if (ctx.path === '/') use(follow(ctx.sse(), tenant));
        else ctx.body = await hub.publish('orders', { tenant: tenant() });
      });
      return listen(app.callback());
    },
  ],
  [
    'Hono, with contextStorage()',
    use => {
      const app = new Hono();
      const tenant = () => getContext().req.query('tenant');
      app.use(contextStorage(), honoSse({ hub }));
      app.get('/', c => c.var.sse(stream => use(follow(stream, tenant))));
      app.get('/publish', async c => c.text(await hub.publish('orders', { tenant: tenant() })));
      return listen(getRequestListener(app.fetch));
    },
  ],
  [
    'Fastify, with a hook that runs the request in a context',
    async use => {
      const app = fastify();
      app.addHook('onRequest', (request, _reply, done) => tenants.run(tenantOf(request.url), done));
      app.register(fastifySse({ hub }));
      app.get('/', (_request, reply) => reply.sse(stream => use(follow(stream, () => tenants.getStore()))));
      app.get('/publish', () => hub.publish('orders', { tenant: tenants.getStore() }));
      await app.listen({ port: 0, host: '127.0.0.1' });
      return run(app.server);
    },
  ],
];

it.each(servers)('a filter sees the tenant of its own request: %s', async (_, serve) => {
  const ends: Ended[] = [];
  const server = await serve(ended => ends.push(ended));
  const get = (path: string) => request(server.origin, path);
  const a = await get('/?tenant=a');
  const b = await get('/?tenant=b');
  const streams = [...hub.streams];
  for (const tenant of ['a', 'b', 'a']) await (await get(`/publish?tenant=${tenant}`)).ended;
  const messages = (client: typeof a) =>
    client.events.filter(({ event }) => event === undefined).map(({ data }) => JSON.parse(data).tenant);
  await a.until(client => messages(client).length === 2);
  await b.until(client => messages(client).length === 1);
  expect([messages(a), messages(b)]).toEqual([['a', 'a'], ['b']]);
  tenants.run('elsewhere', () => {
    for (const stream of streams) stream.close();
  });
  await Promise.all([a.ended, b.ended]);
  expect(ends).toEqual([['a'], ['b']]);
  server.kill();
});
