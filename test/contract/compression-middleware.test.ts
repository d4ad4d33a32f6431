import { gunzipSync } from 'node:zlib';
import fastifyCompress from '@fastify/compress';
import { getRequestListener } from '@hono/node-server';
import { createHub, type EventStream, type Hub } from '@tidings/core';
import { sse as expressSse } from '@tidings/express';
import { sse as fastifySse } from '@tidings/fastify';
import { sse as honoSse } from '@tidings/hono';
import { sse as koaSse } from '@tidings/koa';
import compression from 'compression';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { compress as honoCompress } from 'hono/compress';
import Koa from 'koa';
import koaCompress from 'koa-compress';
import { afterEach, describe, expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';

/** Without `no-transform`, all that tells the middleware to leave it alone is that it is encoded. */
const options = { headers: { 'Cache-Control': 'no-cache' } };
type Use = (stream: EventStream) => void;

const servers: [name: string, serve: (hub: Hub, use: Use) => Promise<Running>][] = [
  [
    'compression',
    (hub, use) => {
      const app = express();
      app.use(compression({ filter: () => true, threshold: 0 }), expressSse({ hub }));
      app.get('/', (_req, res) => use(res.sse(options)));
      return listen(app);
    },
  ],
  [
    'koa-compress',
    (hub, use) => {
      const app = new Koa();
      app.use(koaSse({ hub }));
      app.use(koaCompress({ filter: () => true, threshold: 0 }));
      app.use(ctx => use(ctx.sse(options)));
      return listen(app.callback());
    },
  ],
  [
    'hono/compress',
    (hub, use) => {
      const app = new Hono();
      app.use(honoCompress({ threshold: 0 }), honoSse({ hub }));
      app.get('/', c => c.var.sse(use, options));
      return listen(getRequestListener(app.fetch));
    },
  ],
  [
    '@fastify/compress',
    async (hub, use) => {
      const app = fastify();
      await app.register(fastifyCompress, { threshold: 0, customTypes: /./ });
      await app.register(fastifySse({ hub }));
      app.get('/', (_request, reply) => reply.sse(use, options));
      await app.ready();
      return listen(app.routing);
    },
  ],
  [
    'middleware that has set a content-encoding, and encodes what is written',
    (hub, use) => {
      const app = express();
      app.use(compression({ filter: () => true, threshold: 0 }));
      app.use((_req, res, next) => {
        res.setHeader('Content-Encoding', 'identity');
        next();
      }, expressSse({ hub }));
      app.get('/', (_req, res) => use(res.sse(options)));
      return listen(app);
    },
  ],
];

let server: Running | undefined;
afterEach(() => server?.kill());

describe.each(servers)('behind %s', (_, serve) => {
  it('a compressed stream is encoded once, and sends each event immediately', async () => {
    const streams: EventStream[] = [];
    server = await serve(createHub({ compression: true }), stream => streams.push(stream));
    const client = await request(server.origin, '/', { headers: { 'accept-encoding': 'gzip' } });
    for (const data of ['one', 'two', 'three']) {
      streams[0]?.send(data);
      await client.until(({ events }) => events.at(-1)?.data === data);
    }
    streams[0]?.close();
    expect(await client.ended).toBe(true);
    expect(client.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(client.body).toString()).toBe(client.text);
  });
});
