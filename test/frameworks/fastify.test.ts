import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import compress5 from '@fastify/compress';
import compress4 from '@fastify/compress7';
import cookie5 from '@fastify/cookie';
import cookie4 from '@fastify/cookie9';
import cors5 from '@fastify/cors';
import cors4 from '@fastify/cors9';
import session5 from '@fastify/session';
import session4 from '@fastify/session10';
import { createHub, type EventStream } from '@tidings/core';
import { sse } from '@tidings/fastify';
import fastify5, { type FastifyInstance, type FastifyPluginAsync } from 'fastify';
import fastify4 from 'fastify4';
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

/** Fastify, and the releases of the plugins for it. To the compiler, both have the types of Fastify 5. */
interface Release {
  fastify: typeof fastify5;
  compress: FastifyPluginAsync<{ threshold?: number }>;
  cookie: typeof cookie5;
  cors: typeof cors5;
  session: typeof session5;
}
const releases: [string, Release][] = [
  [
    'Fastify 4',
    {
      fastify: fastify4,
      compress: compress4,
      cookie: cookie4,
      cors: cors4,
      session: session4,
    } as unknown as Release,
  ],
  [
    'Fastify 5',
    {
      fastify: fastify5,
      compress: compress5,
      cookie: cookie5,
      cors: cors5,
      session: session5,
    } as unknown as Release,
  ],
];

describe.each(releases)('on %s', (_, { fastify, compress, cookie, cors, session }) => {
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

  describe('a stream keeps', () => {
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

  describe('the plugin', () => {
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
        await app.register(compress, { threshold: 0 });
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

  describe('a stream that has begun', () => {
    const wrong: [string, (app: FastifyInstance) => void][] = [
      [
        'is the response of a hook: the route handler is not called',
        app => {
          app.get(
            '/',
            { preHandler: async (_request, reply) => reply.sse(stream => stream.send('first')) },
            async () => 'handler',
          );
        },
      ],
      [
        'is not replaced by what the handler returns',
        app => {
          app.get('/', async (_request, reply) => {
            reply.sse(stream => stream.send('first'));
            return 'text';
          });
        },
      ],
      [
        'is not replaced by a later error',
        app => {
          app.get('/', async (_request, reply) => {
            reply.sse(stream => stream.send('first'));
            await sleep(5);
            throw new Error('late');
          });
        },
      ],
      [
        'is not replaced by the error of a second reply.sse()',
        app => {
          app.get('/', async (_request, reply) => {
            reply.sse(stream => stream.send('first'));
            return reply.sse(() => {});
          });
        },
      ],
    ];

    // Fastify 4 ends the process when it responds a second time.
    it.each(wrong)('%s', async (_, routes) => {
      const { get, hub } = await serve(routes);
      const client = await get();
      await client.until(({ events }) => events.length === 1);
      await sleep(20);
      const [stream] = hub.streams;
      stream?.send('second');
      await client.until(({ events }) => events.length === 2);
      expect(client.text).toBe('data: first\n\ndata: second\n\n');
      client.reset();
      await eventually(() => hub.streams.size === 0);
    });
  });
});
