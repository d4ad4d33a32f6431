import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import compress from '@fastify/compress';
import cookie from '@fastify/cookie';
import cors from '@fastify/cors';
import session from '@fastify/session';
import { createHub, type EventStream } from '@tidings/core';
import { sse } from '@tidings/fastify';
import fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, request } from '../support/client.ts';
import { type Running, run } from '../support/server.ts';

declare module 'fastify' {
  interface Session {
    user?: string;
  }
}

const running: Running[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
});

/** An application with the usual plugins, and what it logs. */
async function serve(routes: (app: FastifyInstance) => void | Promise<void>) {
  const hub = createHub({ onError: () => {} });
  const lines: { level: number; msg: string }[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const app = fastify({ logger: { level: 'info', stream } });
  app.register(cors, { origin: 'https://a.example', credentials: true });
  app.register(cookie);
  app.register(session, {
    secret: 'a secret with the minimum length of 32',
    cookie: { secure: false },
    rolling: true,
  });
  app.register(sse({ hub }));
  app.register(async scope => routes(scope));
  await app.listen({ port: 0, host: '127.0.0.1' });
  const server = await run(app.server);
  running.push(server);
  return { app, hub, lines, get: (path = '/', options = {}) => request(server.origin, path, options) };
}

describe('a stream on Fastify keeps', () => {
  it('CORS, cookies, the session, and headers of the reply and of hooks', async () => {
    const { get } = await serve(app => {
      app.addHook('onSend', async (_request, reply) => {
        await sleep(5);
        reply.header('x-hook', String(reply.getHeader('content-type')));
      });
      app.get('/', async (request, reply) => {
        request.session.user = 'ann';
        reply.header('x-own', 'own').setCookie('seen', '1');
        return reply.sse(stream => {
          stream.send('first');
          setImmediate(() => stream.send('second'));
        });
      });
    });
    const client = await get('/', { headers: { origin: 'https://a.example' } });
    await client.until(({ events }) => events.length === 2);
    expect(client.text).toBe('data: first\n\ndata: second\n\n');
    expect(client.headers).toMatchObject({
      'access-control-allow-origin': 'https://a.example',
      'access-control-allow-credentials': 'true',
      'cache-control': 'no-cache, no-transform',
      'x-hook': 'text/event-stream; charset=utf-8',
      'x-own': 'own',
    });
    const cookies = client.headers['set-cookie'] as string[];
    expect(cookies.map(value => value.split('=')[0]).sort()).toEqual(['seen', 'sessionId']);
  });

  it('hooks that run after the response, and logs no error when the client disconnects', async () => {
    const done: number[] = [];
    let stream: EventStream | undefined;
    const { get, hub, lines } = await serve(app => {
      app.addHook('onResponse', async (_request, reply) => {
        done.push(reply.statusCode);
      });
      app.get('/', (_request, reply) =>
        reply.sse(opened => {
          stream = opened;
        }),
      );
    });
    const first = await get();
    stream?.close();
    expect(await first.ended).toBe(true);
    await eventually(() => done.length === 1);
    const second = await get();
    second.reset();
    await eventually(() => hub.streams.size === 0);
    expect(done).toEqual([200]);
    expect(lines.filter(({ level, msg }) => level > 30 || /premature/.test(msg))).toEqual([]);
  });

  it.each([
    [
      'throws',
      () => () => {
        throw new Error('mine');
      },
    ],
    [
      'rejects',
      () => async () => {
        await null;
        throw new Error('mine');
      },
    ],
  ])('the error handler for a handler that %s', async (_, handler) => {
    const { get, hub } = await serve(app => {
      app.setErrorHandler((error: Error, _request, reply) => reply.code(418).send(error.message));
      app.get('/', (_request, reply) => reply.sse(handler()));
    });
    const client = await get();
    expect(await client.ended).toBe(true);
    expect([client.status, client.text]).toEqual([418, 'mine']);
    expect(client.headers['content-type']).not.toContain('event-stream');
    await eventually(() => hub.streams.size === 0);
  });

  it('HEAD, and 204 for a client that has received everything', async () => {
    let calls = 0;
    const { get, hub } = await serve(app => {
      app.get('/', (_request, reply) => reply.sse(stream => stream.stream(() => [String(++calls)])));
    });
    const origin = { origin: 'https://a.example' };
    const head = await get('/', { method: 'HEAD', headers: origin });
    expect(await head.ended).toBe(true);
    expect(head.status).toBe(200);
    expect(head.headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8' });
    const first = await get();
    expect(await first.ended).toBe(true);
    const headers = { ...origin, 'last-event-id': first.events.at(-1)?.id ?? '' };
    const second = await get('/', { headers });
    expect(await second.ended).toBe(true);
    expect([second.status, second.text, calls]).toEqual([204, '', 1]);
    expect(second.headers['access-control-allow-origin']).toBe('https://a.example');
    expect(second.headers).not.toHaveProperty('content-type');
    expect(hub.streams.size).toBe(0);
  });
});

describe('the Fastify plugin', () => {
  it('closes the hub when the application closes', async () => {
    const { app, hub, get } = await serve(app => {
      app.get('/', (_request, reply) => reply.sse(stream => stream.subscribe('news')));
    });
    const clients = await Promise.all([get(), get(), get()]);
    await app.close();
    for (const client of clients) {
      expect(await client.ended).toBe(true);
      expect(client.retries).toHaveLength(1);
    }
    await expect(hub.publish('news', 1)).rejects.toMatchObject({ code: 'closed' });
  });

  it('sends no compressed stream, with @fastify/compress', async () => {
    const { get } = await serve(async app => {
      await app.register(compress as unknown as FastifyPluginAsync, { threshold: 0 } as object);
      app.get('/', (_request, reply) => reply.sse(stream => stream.send('x'.repeat(2_000))));
    });
    const client = await get('/', { headers: { 'accept-encoding': 'gzip' } });
    await client.until(({ events }) => events.length === 1);
    expect(client.headers).not.toHaveProperty('content-encoding');
  });

  it('reports a hook that reads the stream', async () => {
    const { get } = await serve(app => {
      app.addHook('onSend', async (_request, _reply, payload) => {
        for await (const _ of payload as AsyncIterable<unknown>);
      });
      app.get('/', (_request, reply) => reply.sse(() => {}));
    });
    const client = await get();
    expect(await client.ended).toBe(true);
    expect(client.status).toBe(500);
    expect(client.text).toContain('onSend');
  });

  it('may be registered in several scopes, each with a hub of its own', async () => {
    const hubs = [createHub(), createHub()];
    const { get } = await serve(app => {
      for (const [n, hub] of hubs.entries()) {
        app.register(async scope => {
          scope.register(sse({ hub }));
          scope.get(`/${n}`, (_request, reply) => reply.sse(() => {}));
        });
      }
    });
    await get('/1');
    expect(hubs.map(hub => hub.streams.size)).toEqual([0, 1]);
  });
});
