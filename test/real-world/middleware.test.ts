import { getRequestListener } from '@hono/node-server';
import koaCors from '@koa/cors';
import type { EventStream, StreamOptions } from '@tidings/core';
import { sse as expressSse } from '@tidings/express';
import { sse as honoSse } from '@tidings/hono';
import { sse as koaSse } from '@tidings/koa';
import compression from 'compression';
import cors from 'cors';
import express, { type RequestHandler } from 'express';
import session from 'express-session';
import helmet from 'helmet';
import { Hono, type MiddlewareHandler } from 'hono';
import { compress as honoCompress } from 'hono/compress';
import { cors as honoCors } from 'hono/cors';
import { logger as honoLogger } from 'hono/logger';
import { secureHeaders } from 'hono/secure-headers';
import { timing } from 'hono/timing';
import Koa, { type Middleware as KoaMiddleware } from 'koa';
import koaCompress from 'koa-compress';
import morgan from 'morgan';
import responseTime from 'response-time';
import { afterEach, describe, expect, type TestContext, test } from 'vitest';
import { type Client, eventually, type RequestOptions, request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';
import { describeSubject } from './subject.ts';

interface Served {
  open(options?: RequestOptions): Promise<[client: Client, stream: EventStream]>;
  /** A response that is not a stream. */
  answer(options?: RequestOptions): Promise<Client>;
}

interface Middleware {
  name: string;
  package: string;
  /** Answers `/` with a stream, given to `use`, and every other path with text, behind the middleware. */
  serve(use: (stream: EventStream) => void): Promise<Running>;
  /** Whether streams come encoded. */
  isEncoded?: boolean;
  /** What the middleware is there for, and how it is seen. */
  promise: string;
  check(served: Served, context: TestContext): Promise<void>;
}

/** Text that is worth compressing. */
const TEXT = 'text '.repeat(1_000);
const ORIGIN = 'https://app.example';
const GZIP = { headers: { 'Accept-Encoding': 'gzip' } };

/** What the loggers have written; each test has its own. */
let lines: string[] = [];
let server: Running | undefined;
afterEach(() => {
  server?.kill();
  lines = [];
});

const compresses = {
  promise: 'other responses are encoded',
  async check({ answer }: Served) {
    const other = await answer(GZIP);
    expect(other.headers['content-encoding']).toBe('gzip');
    expect(other.text).toBe(TEXT);
  },
};

const allowsOrigin = {
  promise: 'a page of another origin can read the stream',
  async check({ open }: Served) {
    const [client] = await open({ headers: { Origin: ORIGIN } });
    expect(client.headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
      vary: expect.stringContaining('Origin'),
    });
  },
};

function sets(...headers: string[]) {
  return {
    promise: 'its headers are present',
    async check({ open }: Served) {
      const [client] = await open();
      expect(Object.keys(client.headers)).toEqual(expect.arrayContaining(headers));
    },
  };
}

function onExpress(
  name: string,
  middleware: () => RequestHandler | RequestHandler[],
  streamOptions?: StreamOptions,
) {
  return {
    name: `Express: ${name}`,
    package: name,
    serve(use: (stream: EventStream) => void) {
      const app = express();
      app.use(middleware(), expressSse());
      app.get('/', (_req, res) => use(res.sse(streamOptions)));
      app.use((_req, res) => {
        res.type('text').send(TEXT);
      });
      return listen(app);
    },
  };
}

function onKoa(name: string, middleware: () => KoaMiddleware) {
  return {
    name: `Koa: ${name}`,
    package: name,
    serve(use: (stream: EventStream) => void) {
      const app = new Koa();
      // Koa prints that a client has left by a reset, unless this is set.
      app.silent = true;
      app.use(koaSse());
      app.use(middleware());
      app.use(ctx => {
        if (ctx.path === '/') use(ctx.sse());
        else ctx.body = TEXT;
      });
      return listen(app.callback());
    },
  };
}

function onHono(name: string, middleware: () => MiddlewareHandler, streamOptions?: StreamOptions) {
  return {
    name: `Hono: hono/${name}`,
    package: 'hono',
    serve(use: (stream: EventStream) => void) {
      const app = new Hono();
      app.use(middleware());
      app.use(honoSse());
      app.get('/', c => c.var.sse(use, streamOptions));
      app.get('*', c => c.text(TEXT));
      return listen(getRequestListener(app.fetch));
    },
  };
}

/** Takes back the `no-transform` that keeps streams from being encoded. */
const MAY_BE_ENCODED = { headers: { 'Cache-Control': 'no-cache' } };

const table: Middleware[] = [
  { ...onExpress('compression', () => compression()), ...compresses },
  {
    ...onExpress('compression', () => compression(), MAY_BE_ENCODED),
    name: 'Express, where `Cache-Control` lets streams be encoded: compression',
    isEncoded: true,
    ...compresses,
  },
  {
    ...onExpress('helmet', () => helmet()),
    ...sets('content-security-policy', 'strict-transport-security', 'x-content-type-options'),
  },
  {
    ...onExpress('express-session', () => [
      session({ secret: 'test', resave: false, saveUninitialized: true }),
      (req, _res, next) => req.session.save(next),
    ]),
    promise: 'the session cookie is in the response headers, and is valid while the stream is open',
    async check({ open, answer }, { annotate }) {
      const [client] = await open();
      const [cookie = ''] = client.headers['set-cookie'] ?? [];
      expect(cookie).toMatch(/^connect\.sid=.*HttpOnly/);
      const other = await answer({ headers: { Cookie: String(cookie.split(';', 1)) } });
      expect(other.headers).not.toHaveProperty('set-cookie');
      annotate(
        'A session is saved at the end of a response: a handler that changes it must call `req.session.save()` before `res.sse()`',
        'note',
      );
    },
  },
  { ...onExpress('cors', () => cors({ origin: ORIGIN, credentials: true })), ...allowsOrigin },
  {
    ...onExpress('morgan', () => morgan('tiny', { stream: { write: line => lines.push(line) } })),
    promise: 'a line is logged for a stream that ends, and for one whose client disconnects',
    async check({ open }, { annotate }) {
      const [, stream] = await open();
      expect(lines).toEqual([]);
      stream.close();
      await eventually(() => lines.length === 1);
      const [client] = await open();
      client.reset();
      await eventually(() => lines.length === 2);
      expect(lines[0]).toMatch(/^GET \/ 200 /);
      annotate(
        'The line is logged at the end of the stream; with `immediate: true`, at its beginning',
        'note',
      );
    },
  },
  { ...onExpress('response-time', () => responseTime()), ...sets('x-response-time') },
  { ...onKoa('koa-compress', () => koaCompress({ threshold: 0 })), ...compresses },
  { ...onKoa('@koa/cors', () => koaCors({ origin: ORIGIN, credentials: true })), ...allowsOrigin },
  { ...onHono('compress', () => honoCompress()), ...compresses },
  { ...onHono('cors', () => honoCors({ origin: ORIGIN, credentials: true })), ...allowsOrigin },
  {
    ...onHono('secure-headers', () => secureHeaders()),
    ...sets('strict-transport-security', 'x-content-type-options', 'x-frame-options'),
  },
  {
    ...onHono('logger', () => honoLogger(line => lines.push(line))),
    promise: 'a line with the status is logged when the stream begins',
    async check({ open }) {
      await open();
      expect(lines).toEqual(['<-- GET /', expect.stringMatching(/^--> GET \/ .*200/)]);
    },
  },
  { ...onHono('timing', () => timing()), ...sets('server-timing') },
];

describe('Middleware in the same process', () => {
  for (const { serve, promise, check, isEncoded, ...subject } of table) {
    describeSubject(subject, () => {
      test('the first byte arrives before the first event, and each event before the next one is sent', async () => {
        const { open } = await start(serve);
        const [client, stream] = await open(GZIP);
        expect(client.headers['content-encoding']).toBe(isEncoded ? 'gzip' : undefined);
        await client.until(({ text }) => text !== '');
        for (let sent = 1; sent <= 20; sent++) {
          stream.send(sent);
          await client.until(({ events }) => events.length === sent);
        }
      });

      test('the response is complete when the stream ends', async () => {
        const { open } = await start(serve);
        const [client, stream] = await open(GZIP);
        for (let number = 1; number <= 20; number++) stream.send(`${number} ${TEXT}`);
        stream.close();
        expect(await client.ended).toBe(true);
        expect(client.events.map(({ data }) => Number.parseInt(data, 10))).toEqual(
          Array.from({ length: 20 }, (_, i) => i + 1),
        );
        expect(client.events.at(-1)?.data).toBe(`20 ${TEXT}`);
      });

      test('a disconnect of the client is detected', async () => {
        const { open } = await start(serve);
        const [client, stream] = await open(GZIP);
        client.reset();
        expect(await stream.closed).toBe('disconnected');
      });

      test(promise, async context => check(await start(serve), context));
    });
  }
});

async function start(serve: Middleware['serve']): Promise<Served> {
  const streams: EventStream[] = [];
  const running = await serve(stream => streams.push(stream));
  server = running;
  return {
    async open(options) {
      const client = await request(running.origin, '/', options);
      return [client, streams.at(-1) as EventStream];
    },
    async answer(options) {
      const client = await request(running.origin, '/text', options);
      await client.ended;
      return client;
    },
  };
}
