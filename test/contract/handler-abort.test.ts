import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { createHub, type EventStream } from '@tidings/core';
import { sse as expressSse } from '@tidings/express';
import { sse as fastifySse } from '@tidings/fastify';
import { sse as honoSse } from '@tidings/hono';
import { sse as koaSse } from '@tidings/koa';
import express5, { type Express, type NextFunction, type Request, type Response } from 'express';
// @ts-expect-error Express 4 comes under another name, and its types with Express 5
import express4 from 'express4';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa3 from 'koa';
// @ts-expect-error Koa 2 comes under another name, and its types with Koa 3
import Koa2 from 'koa2';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, request } from '../support/client.ts';
import { listen, type Running, run } from '../support/server.ts';

type Use = (stream: EventStream) => unknown;
/** Serves a handler as the framework's users write it. `report` receives what reaches the framework's error handling. */
type Serve = (use: Use, report: (error: unknown) => void) => Promise<Running>;

/** What reaches the hub's `onError`. */
const reported: unknown[] = [];
const hub = createHub({ onError: error => reported.push(error) });

const onExpress =
  (express: () => Express): Serve =>
  (use, report) => {
    const app = express();
    app.use(expressSse({ hub }));
    app.all(
      '/',
      expressSse.handler(async (_req, res) => {
        await use(res.sse());
      }),
    );
    app.use((error: unknown, _req: Request, res: Response, next: NextFunction) => {
      report(error);
      if (res.headersSent) next(error);
      else res.status(500).end();
    });
    app.set('env', 'test');
    return listen(app);
  };

const onKoa =
  (Koa: typeof Koa3): Serve =>
  (use, report) => {
    const app = new Koa();
    // Koa itself reports every connection that is reset.
    app.on('error', error => error.code === 'ECONNRESET' || report(error));
    app.use(koaSse({ hub }));
    app.use(async ctx => {
      await use(ctx.sse());
    });
    return listen(app.callback());
  };

const onHono: Serve = (use, report) => {
  const app = new Hono();
  app.use(honoSse({ hub }));
  app.all('/', c => c.var.sse(use));
  app.onError((error, c) => {
    report(error);
    return c.text('failed', 500);
  });
  return listen(getRequestListener(app.fetch));
};

const onFastify: Serve = async (use, report) => {
  const app = fastify();
  app.register(fastifySse({ hub }));
  app.all('/', (_request, reply) => reply.sse(use));
  app.setErrorHandler((error, _request, reply) => {
    report(error);
    return reply.code(500).send();
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return run(app.server);
};

const frameworks: [string, Serve][] = [
  ['Express 4', onExpress(express4)],
  ['Express 5', onExpress(express5)],
  ['Koa 2', onKoa(Koa2)],
  ['Koa 3', onKoa(Koa3)],
  ['Hono', onHono],
  ['Fastify', onFastify],
];

describe.each(frameworks)('a handler on %s', (name, serve) => {
  let server: Running | undefined;
  afterEach(() => server?.kill());

  async function connect(use: Use, method = 'GET') {
    const errors: unknown[] = [];
    let stream: EventStream | undefined;
    server = await serve(
      opened => {
        stream = opened;
        return use(opened);
      },
      error => errors.push(error),
    );
    const client = await request(server.origin, '/', { method });
    return { client, stream: stream as EventStream, errors };
  }

  it('whose client disconnects while it awaits a call with the signal, is not reported', async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', onUnhandled);
    const { client, stream, errors } = await connect(({ signal }) => sleep(60_000, undefined, { signal }));
    client.reset();
    expect(await stream.closed).toBe('disconnected');
    await sleep(20);
    process.off('unhandledRejection', onUnhandled);
    expect([errors, unhandled]).toEqual([[], []]);
  });

  it('may loop until the stream closes', async () => {
    const { client, stream, errors } = await connect(async stream => {
      stream.send('first');
      for (;;) await sleep(5, undefined, { signal: stream.signal });
    });
    await client.until(({ events }) => events.length === 1);
    stream.close();
    expect(await client.ended).toBe(true);
    expect(await stream.closed).toBe('closed');
    await sleep(20);
    expect(errors).toEqual([]);
  });

  it('that fails before the headers is reported, with a 500', async () => {
    const { client, errors } = await connect(() => Promise.reject(new Error('mine')));
    expect(client.status).toBe(500);
    expect(errors).toEqual([expect.objectContaining({ message: 'mine' })]);
  });

  it('that fails after the headers is reported, and its response to a POST is incomplete', async () => {
    let fail = () => {};
    const { client, stream, errors } = await connect(async stream => {
      stream.send('half');
      await new Promise((_resolve, reject) => {
        fail = () => reject(new Error('mine'));
      });
    }, 'POST');
    fail();
    expect(await client.ended).toBe(false);
    expect(client.text).toBe('data: half\n\n');
    expect(await stream.closed).toBe('error');
    // After the headers, Hono and Fastify have no error handling: the hub's onError is called.
    if (!/Hono|Fastify/.test(name)) await eventually(() => errors.length > 0);
  });

  it('that fails with an AbortError of its own is reported, while its stream is open', async () => {
    const { client, errors } = await connect(() => Promise.reject(new DOMException('mine', 'AbortError')));
    expect(client.status).toBe(500);
    expect(errors).toEqual([expect.objectContaining({ message: 'mine' })]);
  });

  it('that fails with an error of its own is reported, even if its stream has closed', async () => {
    reported.length = 0;
    const { client, stream, errors } = await connect(async ({ signal }) => {
      await once(signal, 'abort');
      throw new Error('mine');
    });
    client.reset();
    expect(await stream.closed).toBe('disconnected');
    await eventually(() => errors.length + reported.length > 0);
    expect([...errors, ...reported]).toEqual([expect.objectContaining({ message: 'mine' })]);
  });

  it('may add any number of listeners to the signal', async () => {
    const warnings: unknown[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const { client, stream } = await connect(({ signal }) => {
      for (let n = 0; n < 20; n++) signal.addEventListener('abort', () => {});
    });
    client.reset();
    await stream.closed;
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });
});
