// A server in a process of its own, whose heap can be looked at: `server.ts <framework>` answers /tidings with a stream,
// and every other path with what that framework's users would write by hand. `server.ts <framework> timers` counts its
// timers, too, which takes CPU time and memory for everything that is asynchronous.
import { createHook } from 'node:async_hooks';
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { sse as expressSse } from '@tidings/express';
import { sse as honoSse } from '@tidings/hono';
import { sse as koaSse } from '@tidings/koa';
import express5 from 'express';
// @ts-expect-error Express 4 comes under another name, and its types with Express 5
import express4 from 'express4';
import { Hono } from 'hono';
import Koa from 'koa';

export interface Figures {
  /** Bytes. */
  heap: number;
  streams: number;
  timers: number;
}

/** The same that streams have. */
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
  'tidings-heartbeat': '15000',
};

// A channel that nobody follows any more is dropped after a quarter of that, and the clock stops.
const hub = createHub({ history: { age: 1_000 } });
let bare = 0;

/** The owners of streams, which an application has anyway. */
const owners = Array.from({ length: 10_000 }, (_, index) => ({ client: `client ${index}`, data: { index } }));
let owned = 0;
const ownedBy = () => owners[owned++ % owners.length];
const leave = () => {
  bare -= 1;
};

function respond(_req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, HEADERS);
  res.write(':\n\n');
  count(res);
}

function count(res: Pick<ServerResponse, 'on'>): void {
  bare += 1;
  res.on('close', leave);
}

const frameworks: Record<string, () => RequestListener> = {
  node: () => (req, res) => {
    if (req.url === '/tidings') openStream(req, res, { hub }).subscribe('news');
    else if (req.url === '/owned') openStream(req, res, { hub, ...ownedBy() }).subscribe('news');
    else respond(req, res);
  },
  express4: () => serveExpress(express4),
  express5: () => serveExpress(express5),
  koa() {
    const app = new Koa();
    // Koa prints the error of each connection that is cut.
    app.silent = true;
    app.use((ctx, next) => {
      if (ctx.path === '/tidings') return next();
      ctx.respond = false;
      respond(ctx.req, ctx.res);
    });
    app.use(koaSse({ hub }));
    app.use(ctx => {
      ctx.sse().subscribe('news');
    });
    return app.callback();
  },
  hono() {
    const app = new Hono<{ Bindings: HttpBindings }>();
    app.get('/bare', c => {
      count(c.env.outgoing);
      const start = (controller: ReadableStreamDefaultController) => controller.enqueue(Buffer.from(':\n\n'));
      return c.body(new ReadableStream({ start }), 200, HEADERS);
    });
    app.use(honoSse({ hub }));
    app.get('/tidings', c => c.var.sse(stream => stream.subscribe('news')));
    return getRequestListener(app.fetch);
  },
};

function serveExpress(express: typeof express5): RequestListener {
  const app = express();
  app.get('/bare', respond);
  app.use(expressSse({ hub }));
  app.get('/tidings', (_req, res) => {
    res.sse().subscribe('news');
  });
  return app;
}

// The list of active resources leaves out timers that are unref'd.
const timers = new Set<number>();
if (process.argv[3] === 'timers') {
  createHook({
    init(id, type) {
      if (type === 'Timeout') timers.add(id);
    },
    destroy: id => timers.delete(id),
  }).enable();
}

const listener = frameworks[process.argv[2] ?? '']?.();
const server = http.createServer(listener as RequestListener);
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));

process.on('message', ([question]: [string]) => {
  // A collection takes up to a second: not where only the streams are counted.
  if (question === 'figures') globalThis.gc?.();
  const figures: Figures = {
    heap: process.memoryUsage().heapUsed,
    streams: hub.streams.size + bare,
    timers: timers.size,
  };
  process.send?.(figures);
});
process.on('disconnect', () => process.exit());
