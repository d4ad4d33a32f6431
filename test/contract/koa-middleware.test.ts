import { createHub } from '@tidings/core';
import { sse } from '@tidings/koa';
import Koa3, { type Middleware } from 'koa';
// @ts-expect-error Koa 2 comes under another name, and its types with Koa 3
import Koa2 from 'koa2';
import { afterEach, describe, expect, it } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';

const versions: [string, typeof Koa3][] = [
  ['Koa 2', Koa2],
  ['Koa 3', Koa3],
];

describe.each(versions)('middleware that is mounted before sse() · %s', (_, Koa) => {
  let server: Running | undefined;
  afterEach(() => server?.kill());

  /** Answers with a stream, behind a middleware. */
  async function connect(before: Middleware): Promise<{ client: Client; closed: Promise<string> }> {
    const app = new Koa();
    app.silent = true;
    app.use(before);
    app.use(sse({ hub: createHub() }));
    let closed: Promise<string> | undefined;
    app.use(async ctx => {
      await undefined;
      closed = ctx.sse().subscribe('a').closed;
    });
    server = await listen(app.callback());
    const client = await request(server.origin, '/');
    return { client, closed: closed as unknown as Promise<string> };
  }

  it('continues when the handler has returned, and may still set a header', async () => {
    let hasContinued = false;
    const { client } = await connect(async (ctx, next) => {
      await next();
      hasContinued = true;
      ctx.set('x-late', 'yes');
    });
    expect(hasContinued).toBe(true);
    expect(client.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-late': 'yes' });
  });

  it('does not take the request for one that nobody handled', async () => {
    const { client } = await connect(async (ctx, next) => {
      await next();
      if (ctx.status === 404) ctx.throw(404);
    });
    expect(client.status).toBe(200);
  });

  it('may throw afterwards: the error is the response, and the stream is refused', async () => {
    const { client, closed } = await connect(async (ctx, next) => {
      await next();
      ctx.throw(503);
    });
    expect(client.status).toBe(503);
    expect(await closed).toBe('refused');
  });
});
