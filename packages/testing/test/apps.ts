import { createHub, type Hub } from '@tidings/core';
import { sse as expressSse } from '@tidings/express';
import { sse as fastifySse } from '@tidings/fastify';
import { sse as honoSse } from '@tidings/hono';
import { sse as koaSse } from '@tidings/koa';
import type { Target } from '@tidings/testing';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';

/**
 * The same small application on each framework: `/prices` follows a channel, `/countdown` ends, `/echo` sends what it
 * got, and the rest is no stream.
 */
export const frameworks: Record<string, (hub?: Hub) => Target> = {
  Express: expressApp,
  Koa: hub => koaApp(hub),
  'Koa, by its callback': hub => koaApp(hub).callback(),
  Hono: honoApp,
  Fastify: fastifyApp,
};

export function expressApp(hub: Hub = createHub()) {
  const app = express();
  app.use(expressSse({ hub }), express.text());
  app.get('/prices', (_req, res) => {
    res.sse({ retry: 700 }).subscribe('prices');
  });
  app.get('/countdown', (_req, res) => {
    res.sse().stream(['3', '2', '1']);
  });
  app.post('/echo', (req, res) => {
    res.sse().send([req.body, req.get('x-who')], { event: 'echo' });
  });
  return app;
}

function koaApp(hub: Hub = createHub()): Koa {
  const app = new Koa();
  app.use(koaSse({ hub }));
  app.use(async ctx => {
    if (ctx.path === '/prices') ctx.sse({ retry: 700 }).subscribe('prices');
    if (ctx.path === '/countdown') ctx.sse().stream(['3', '2', '1']);
    if (ctx.path === '/echo') {
      let body = '';
      for await (const chunk of ctx.req) body += chunk;
      ctx.sse().send([body, ctx.get('x-who')], { event: 'echo' });
    }
  });
  return app;
}

function honoApp(hub: Hub = createHub()) {
  const app = new Hono();
  app.use(honoSse({ hub }));
  app.get('/prices', c =>
    c.var.sse(
      stream => {
        stream.subscribe('prices');
      },
      { retry: 700 },
    ),
  );
  app.get('/countdown', c => c.var.sse(stream => stream.stream(['3', '2', '1'])));
  app.post('/echo', async c => {
    const body = await c.req.text();
    return c.var.sse(stream => stream.send([body, c.req.header('x-who')], { event: 'echo' }));
  });
  return app;
}

function fastifyApp(hub: Hub = createHub()) {
  const app = fastify();
  app.register(fastifySse({ hub }));
  app.get('/prices', (_request, reply) => reply.sse(stream => stream.subscribe('prices'), { retry: 700 }));
  app.get('/countdown', (_request, reply) => reply.sse(stream => stream.stream(['3', '2', '1'])));
  app.post('/echo', (request, reply) =>
    reply.sse(stream => stream.send([request.body, request.headers['x-who']], { event: 'echo' })),
  );
  return app;
}
