import type { IncomingMessage, ServerResponse } from 'node:http';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { createHub, type EventStream, type StreamOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { sse as expressSse } from '@tidings/express';
import { sse as koaSse } from '@tidings/koa';
import compression from 'compression';
import express from 'express';
import Koa from 'koa';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';
import { fill } from './contract.ts';

type Use = (
  req: IncomingMessage,
  res: ServerResponse,
  open: (options?: StreamOptions) => EventStream,
) => unknown;

/** Servers whose responses are those of node:http, with everything that an application can do to one. */
const servers: [string, (use: Use) => Parameters<typeof listen>[0]][] = [
  [
    'node:http',
    use => {
      const hub = createHub();
      return (req, res) => use(req, res, options => openStream(req, res, { ...options, hub }));
    },
  ],
  [
    'Express',
    use => {
      const app = express().set('env', 'test');
      app.use(expressSse());
      app.use((req, res) => use(req, res, options => res.sse(options)));
      return app;
    },
  ],
  [
    'Koa',
    use => {
      const app = new Koa();
      app.silent = true;
      app.use(koaSse());
      // Until the middleware has returned, a stream waits for others to set headers.
      app.use(async ctx => {
        let stream: EventStream | undefined;
        const done = use(ctx.req, ctx.res, options => {
          stream = ctx.sse(options);
          return stream;
        });
        if (stream === undefined) await done;
      });
      return app.callback();
    },
  ],
];

describe.each(servers)('a response of node:http · %s', (_, makeListener) => {
  const running: Running[] = [];
  afterEach(() => {
    for (const server of running.splice(0)) server.kill();
  });

  async function serve(use: Use): Promise<Running> {
    const server = await listen(makeListener(use));
    running.push(server);
    return server;
  }

  /** Sends bytes on a bare socket and returns everything that comes back until the server is silent at the end. */
  async function exchange(server: Running, sent: string): Promise<string> {
    const socket = net.connect(Number(new URL(server.origin).port), '127.0.0.1');
    socket.write(sent);
    return text(socket);
  }

  const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

  it('cannot become a stream once the response is sent', async () => {
    let error: unknown;
    const server = await serve((_req, res, open) => {
      res.write('begun');
      try {
        open();
      } catch (caught) {
        error = caught;
      }
      res.end();
    });
    const client = await request(server.origin, '/');
    expect(await client.ended).toBe(true);
    expect(client.text).toBe('begun');
    expect(error).toMatchObject({ name: 'TidingsError', code: 'head-sent' });
  });

  it('may be ended by the application: later events are dropped, and the next response is intact', async () => {
    const server = await serve(async (req, res, open) => {
      if (req.url !== '/stream') return res.end('the next response');
      const stream = open();
      stream.send(1);
      while (!res.headersSent) await turn();
      stream.send(2);
      res.end();
      stream.send('late');
      setImmediate(() => stream.send('later'));
      stream.closed.then(() => stream.send('latest'));
    });
    const received = await exchange(server, get('/stream') + get('/next', 'Connection: close\r\n'));
    expect(received).not.toContain('late');
    expect(received).toMatch(/data: 2\n\n\r\n0\r\n\r\nHTTP\/1\.1 \d{3} /);
    expect(received.endsWith('the next response')).toBe(true);
  });

  it('may be ended by the application later on, with others on the connection before and after', async () => {
    const server = await serve(async (req, res, open) => {
      if (req.url !== '/stream') return res.end('the next response');
      const stream = open();
      for (let i = 0; i < 3; i++) {
        await new Promise(resolve => setTimeout(resolve, 5));
        stream.send(i);
        stream.send('again');
        res.write(`data: by the application ${i}\n\n`);
      }
      stream.send('last');
      res.end();
      stream.send('late');
      setImmediate(() => stream.send('later'));
    });
    const received = await exchange(server, get('/stream') + get('/next', 'Connection: close\r\n'));
    expect(received).not.toContain('late');
    expect(received.match(/data: \S+/g)).toEqual([
      ...[0, 1, 2].flatMap(i => [`data: ${i}`, 'data: again', 'data: by']),
      'data: last',
    ]);
    expect(received).toMatch(/data: last\n\n\r\n0\r\n\r\nHTTP\/1\.1 \d{3} /);
    expect(received.endsWith('the next response')).toBe(true);
  });

  it('keeps the order of pipelined requests', async () => {
    const server = await serve(async (req, res, open) => {
      const n = Number(req.url?.slice(1));
      if (n === 0) {
        await new Promise(resolve => setTimeout(resolve, 50));
        return res.end('slow');
      }
      if (n === 3) return res.end('plain');
      const stream = open();
      for (let i = 0; i < 3; i++) stream.send(`${n}.${i}`);
      setTimeout(() => {
        stream.send(`${n}.last`);
        stream.close();
      }, 20);
    });
    const received = await exchange(
      server,
      get('/0') + get('/1') + get('/2') + get('/3', 'Connection: close\r\n'),
    );
    const order = [...received.matchAll(/slow|data: (\S+)|plain/g)].map(match => match[1] ?? match[0]);
    expect(order).toEqual(['slow', '1.0', '1.1', '1.2', '1.last', '2.0', '2.1', '2.2', '2.last', 'plain']);
  });

  it('that is pipelined detects that its connection has closed', async () => {
    const streams: EventStream[] = [];
    const server = await serve((_req, _res, open) => {
      streams.push(open());
    });
    const socket = net.connect(Number(new URL(server.origin).port), '127.0.0.1');
    socket.write(get('/').repeat(20));
    await eventually(() => streams.length === 20);
    socket.destroy();
    const reasons = await Promise.all(streams.map(stream => stream.closed));
    expect(reasons).toEqual(Array(20).fill('disconnected'));
  });

  it('has its headers first, even if an event is sent as soon as it gets its connection', async () => {
    const server = await serve((req, res, open) => {
      const stream = open();
      if (req.url === '/1') setTimeout(() => stream.close(), 20);
      else {
        res.on('socket', () => stream.send('first'));
        res.on('socket', () => stream.close());
      }
    });
    const received = await exchange(server, get('/1') + get('/2', 'Connection: close\r\n'));
    expect(received).toMatch(/\r\n0\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*data: first/);
  });

  it('may have a `write` that returns nothing, and a `stream` of its own', async () => {
    const server = await serve((_req, res, open) => {
      const { write } = res;
      res.write = function wrapped(this: ServerResponse, ...args: unknown[]) {
        Reflect.apply(write, this, args);
      } as unknown as typeof write;
      const stream = open();
      Object.assign(res, { stream });
      for (let i = 0; i < 3; i++) stream.send(i);
      setTimeout(() => stream.close(), 10);
    });
    const client = await request(server.origin, '/');
    expect(await client.ended).toBe(true);
    expect(client.events).toHaveLength(3);
  });

  it('has no chunks for a client of HTTP/1.0', async () => {
    const server = await serve((_req, _res, open) => {
      const stream = open();
      stream.send(1);
      setTimeout(() => {
        stream.send(2);
        stream.close();
      }, 10);
    });
    const received = await exchange(server, 'GET / HTTP/1.0\r\n\r\n');
    expect(received.split('\r\n\r\n')[1]).toBe('data: 1\n\ndata: 2\n\n');
    expect(received).not.toMatch(/transfer-encoding/i);
  });

  it('may have its `write` wrapped after the stream has opened', async () => {
    const written: string[] = [];
    const server = await serve(async (_req, res, open) => {
      const stream = open();
      stream.send('before');
      await new Promise(resolve => setTimeout(resolve, 10));
      const { write } = res;
      res.write = function wrapped(this: ServerResponse, ...args: unknown[]) {
        written.push(String(args[0]));
        return Reflect.apply(write, this, args);
      } as typeof write;
      for (let i = 0; i < 3; i++) stream.send(i);
      await new Promise(resolve => setTimeout(resolve, 10));
      stream.send(3);
    });
    const client = await request(server.origin, '/');
    await client.until(({ events }) => events.length === 5);
    expect(written).toEqual(['data: 0\n\n', 'data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']);
  });

  it('may be corked, and written to by other code', async () => {
    const server = await serve(async (_req, res, open) => {
      const stream = open();
      for (let i = 0; i < 2; i++) {
        await new Promise(resolve => setTimeout(resolve, 10));
        stream.send(0);
      }
      res.cork();
      stream.send(1);
      res.write('data: 2\n\n');
      stream.send(3);
      res.uncork();
      stream.send(4);
    });
    const client = await request(server.origin, '/');
    await client.until(({ events }) => events.length === 6);
    expect(client.events.map(event => event.data)).toEqual(['0', '0', '1', '2', '3', '4']);
  });

  it('has the status text of its status', async () => {
    const server = await serve((_req, res, open) => {
      res.statusCode = 404;
      res.statusMessage = 'Not Found';
      open().close();
    });
    expect(await exchange(server, get('/', 'Connection: close\r\n'))).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('delivers immediately behind compression(), encoded or not', async () => {
    let stream: EventStream | undefined;
    const compress = compression();
    const server = await serve((req, res, open) => {
      compress(req as never, res as never, () => {
        const encoded = req.url === '/encoded';
        stream = open(encoded ? { headers: { 'Cache-Control': 'no-cache' } } : {});
      });
    });
    const plain = await request(server.origin, '/', { headers: { 'accept-encoding': 'gzip' } });
    expect(plain.headers).not.toHaveProperty('content-encoding');
    stream?.send('one');
    await plain.until(({ events }) => events.length === 1);

    const encoded = await request(server.origin, '/encoded', { headers: { 'accept-encoding': 'gzip' } });
    expect(encoded.headers['content-encoding']).toBe('gzip');
    for (const data of ['one', 'two', 'three']) {
      stream?.send(data);
      await encoded.until(({ text }) => text.endsWith(`data: ${data}\n\n`));
    }
    encoded.reset();
    expect(await stream?.closed).toBe('disconnected');
  });

  it('waits for the client behind compression(), too', async () => {
    let stream: EventStream | undefined;
    const compress = compression({ level: 0 });
    const server = await serve((req, res, open) => {
      compress(req as never, res as never, () => {
        stream = open({ headers: { 'Cache-Control': 'no-cache' } });
      });
    });
    const client = await request(server.origin, '/', { headers: { 'accept-encoding': 'gzip' } });
    client.stall();
    let sent = 0;
    const complete = stream?.stream(
      (function* () {
        for (; sent < 2_000; sent++) yield 'x'.repeat(16 * 1024);
      })(),
    );
    let before: number;
    do {
      before = sent;
      await new Promise(resolve => setTimeout(resolve, 60));
    } while (sent > before);
    expect(sent).toBeLessThan(2_000);
    client.resume();
    expect(await complete).toBe(true);
    expect(await client.ended).toBe(true);
  });

  it('leaves no listener on its connection', async () => {
    let socket: net.Socket | undefined;
    let stream: EventStream | undefined;
    const server = await serve((req, _res, open) => {
      socket = req.socket;
      stream = open();
      return stream.closed;
    });
    const client = await request(server.origin, '/');
    await client.until(({ comments }) => comments.length === 1);
    const before = socket?.listenerCount('drain') ?? 0;
    for (let i = 0; i < 2; i++) {
      client.stall();
      await fill(stream as EventStream);
      expect(socket?.listenerCount('drain')).toBe(before + 1);
      client.resume();
      await stream?.drained();
    }
    stream?.close();
    expect(await client.ended).toBe(true);
    expect(socket?.listenerCount('drain')).toBe(before);
  });
});
