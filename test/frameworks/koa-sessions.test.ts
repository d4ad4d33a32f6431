import { setTimeout as sleep } from 'node:timers/promises';
import { createHub, type EventStream } from '@tidings/core';
import { sse } from '@tidings/koa';
import Koa3, { type Middleware } from 'koa';
// @ts-expect-error it has no types
import genericSession from 'koa-generic-session';
import { createSession } from 'koa-session';
// @ts-expect-error Koa 2 comes under another name, and its types with Koa 3
import Koa2 from 'koa2';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';

/** A store as that of a database: every call takes a few milliseconds. */
function slowStore() {
  const sessions = new Map<string, object>();
  return {
    async get(key: string) {
      await sleep(5);
      return sessions.get(key);
    },
    async set(key: string, session: object) {
      await sleep(5);
      sessions.set(key, session);
    },
    async destroy(key: string) {
      await sleep(5);
      sessions.delete(key);
    },
  };
}

const running: Running[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
});

describe.each([
  ['Koa 2', Koa2 as typeof Koa3],
  ['Koa 3', Koa3],
])('a stream on %s', (_, Koa) => {
  /** Serves the middleware, in this order, after `sse()`. */
  async function connect(...middleware: ((app: Koa3) => Middleware)[]) {
    const app = new Koa();
    app.keys = ['a key'];
    const errors: unknown[] = [];
    app.on('error', error => errors.push(error));
    let stream: EventStream | undefined;
    const hub = createHub({
      observer: {
        opened(opened) {
          stream = opened;
        },
      },
    });
    app.use(sse({ hub }));
    for (const make of middleware) app.use(make(app));
    const server = await listen(app.callback());
    running.push(server);
    const client = await request(server.origin, '/');
    return { client, errors, stream: stream as EventStream };
  }

  const streaming =
    (use: (stream: EventStream) => unknown = () => {}) =>
    (): Middleware =>
    ctx => {
      if (ctx.session) ctx.session.user = 'ann';
      use(ctx.sse());
    };

  it.each([
    [
      'koa-session with an asynchronous store',
      (app: Koa3) => createSession({ store: slowStore(), rolling: true }, app),
    ],
    ['koa-session with cookies', (app: Koa3) => createSession({ rolling: true }, app)],
    ['koa-generic-session', () => genericSession({ store: slowStore(), rolling: true }) as Middleware],
  ])('has the cookie of %s', async (_, session) => {
    const { client, errors, stream } = await connect(
      session,
      streaming(opened => opened.send('first')),
    );
    expect(client.headers['set-cookie']?.[0]).toMatch(/^koa[.:]s/);
    await client.until(({ events }) => events.length === 1);
    stream.send('second');
    await client.until(({ events }) => events.length === 2);
    expect(client.text).toBe('data: first\n\ndata: second\n\n');
    expect(errors).toEqual([]);
  });

  it('has the headers that other middleware sets after next()', async () => {
    const late = (): Middleware => async (ctx, next) => {
      await next();
      await sleep(10);
      ctx.set('x-late', 'late');
    };
    const { client } = await connect(late, streaming());
    expect(client.headers['x-late']).toBe('late');
    expect(client.status).toBe(200);
  });

  it('is not replaced by a middleware that responds to the status 404 after next()', async () => {
    const notFound = (): Middleware => async (ctx, next) => {
      await next();
      if (ctx.status === 404) ctx.body = 'not found';
    };
    const { client } = await connect(
      notFound,
      streaming(opened => opened.send('first')),
    );
    await client.until(({ events }) => events.length === 1);
    expect(client.status).toBe(200);
  });

  it('begins while its middleware awaits the end of a source', async () => {
    const source = (): Middleware => async ctx => {
      await ctx.sse().stream(async function* () {
        yield 1;
        while (!ctx.headerSent) await sleep(5);
        yield 2;
      });
    };
    const { client } = await connect(
      app => createSession({ store: slowStore(), rolling: true }, app),
      source,
    );
    expect(await client.ended).toBe(true);
    expect(client.events.map(({ data }) => data).slice(0, 2)).toEqual(['1', '2']);
  });

  it('continues when a middleware sets a cookie too late, which is reported', async () => {
    const late = (): Middleware => async (ctx, next) => {
      await next();
      while (!ctx.headerSent) await sleep(5);
      ctx.cookies.set('late', '1');
    };
    const { client, errors, stream } = await connect(late, streaming());
    stream.send('still here');
    await client.until(({ events }) => events.length === 1);
    await eventually(() => errors.length > 0);
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_HTTP_HEADERS_SENT' })]);
    expect(client.headers).not.toHaveProperty('set-cookie');
    client.leave();
    expect(await stream.closed).toBe('disconnected');
    expect(errors).toHaveLength(1);
  });

  it('that has sent an event gets the error of a middleware that fails within 100 ms', async () => {
    const failing = (): Middleware => async (_ctx, next) => {
      await next();
      await sleep(5);
      throw new Error('mine');
    };
    const { client, stream } = await connect(
      failing,
      streaming(opened => opened.send('first')),
    );
    expect(await client.ended).toBe(true);
    expect([client.status, client.text]).toEqual([500, 'Internal Server Error']);
    expect(await stream.closed).toBe('refused');
  });
});
