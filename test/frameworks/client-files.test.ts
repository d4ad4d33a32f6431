import http from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { sse as express } from '@tidings/express';
import { sse as fastify } from '@tidings/fastify';
import { sse as hono } from '@tidings/hono';
import { sse as koa } from '@tidings/koa';
import createExpress from 'express';
import createFastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../support/server.ts';

const servers: Record<string, () => http.Server | Promise<http.Server>> = {
  Express: () => http.createServer(createExpress().use(express.client())),
  Koa: () => http.createServer(new Koa().use(koa.client()).callback()),
  Hono: () => http.createServer(getRequestListener(new Hono().use(hono.client()).fetch)),
  async Fastify() {
    const app = createFastify();
    app.register(fastify.client());
    await app.ready();
    return app.server;
  },
};

test.each(Object.entries(servers))('%s serves the client to pages without a bundler', async (_, create) => {
  const { origin, kill } = await run(await create());
  onTestFinished(kill);
  const url = `${origin}/tidings/client.js`;
  const response = await fetch(url);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
  const { connect } = await import(`data:text/javascript,${encodeURIComponent(await response.text())}`);
  expect(connect).toBeTypeOf('function');
  const etag = response.headers.get('etag') ?? '';
  const again = await fetch(url, { headers: { 'if-none-match': etag } });
  expect([again.status, await again.text()]).toEqual([304, '']);
  const head = await fetch(url, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
  expect((await fetch(`${origin}/tidings/other.js`)).status).toBe(404);
});
