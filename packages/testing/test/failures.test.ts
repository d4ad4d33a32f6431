import { createServer, type RequestListener } from 'node:http';
import { type ConnectOptions, connect, type Target, type TestClient } from '@tidings/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../test/support/server.ts';

const head = { 'content-type': 'text/event-stream' };
/** Long enough for an answer on a machine that has other things to do. */
const timeout = 1_000;
const clients: TestClient[] = [];
afterAll(() => Promise.all(clients.map(client => client.close())));

async function to(answer: RequestListener, options: ConnectOptions = {}): Promise<TestClient> {
  const client = await connect(createServer(answer), '/events', { timeout, ...options });
  clients.push(client);
  return client;
}
const sending =
  (text: string): RequestListener =>
  (_req, res) =>
    void res.writeHead(200, head).write(text);
const ending =
  (text: string): RequestListener =>
  (_req, res) =>
    void res.writeHead(200, head).end(text);

/** What a server does, what is asked of the client, and what the error says. */
const failures: Record<string, [RequestListener, (client: TestClient) => Promise<unknown>, string]> = {
  'nothing comes': [sending(':\n\n'), client => client.next(), 'no event within 1 s; no other event arrived'],
  'nothing more comes': [
    sending('event: tick\ndata: 1\n\ndata: 2\n\n'),
    async client => {
      await client.next();
      await client.next();
      await client.next('tock');
    },
    'no event "tock" within 1 s; received: tick 1, message 2',
  ],
  'nothing more comes after a lot': [
    sending('data: 1\n\n'.repeat(7)),
    async client => {
      for await (const _ of client);
    },
    'no event within 1 s; received 7, the last ones: message 1, message 1, message 1, message 1, message 1',
  ],
  'nothing is read': [
    sending(':\n\n'),
    client => {
      client.stall();
      return client.next();
    },
    'no event within 1 s (the client is stalled); no other event arrived',
  ],
  'another event comes first': [
    sending('data: 1\n\nevent: halt\ndata: 2\n\n'),
    async client => {
      await client.next('message');
      await client.next('tick');
    },
    'expected the event "tick", but the next event is halt 2; received: message 1',
  ],
  'the stream ends': [
    ending('data: 1\n\n'),
    async client => {
      await client.next();
      await client.next('tick');
    },
    'the stream ended before the event "tick"; received: message 1',
  ],
  'the stream is cut': [
    (_req, res) => {
      res.writeHead(200, head).write('data: 1\n\n');
      setTimeout(() => res.destroy(), 10);
    },
    async client => {
      await client.next();
      await client.next();
    },
    'the connection was aborted before the event; received: message 1',
  ],
  'the stream is cut in a loop': [
    (_req, res) => {
      res.writeHead(200, head).write('data: 1\n\n');
      setTimeout(() => res.destroy(), 10);
    },
    async client => {
      for await (const _ of client);
    },
    'the connection was aborted before the event; received: message 1',
  ],
  'there is nothing more': [
    (_req, res) => void res.writeHead(204).end(),
    client => client.next(),
    'the stream ended (status 204) before the event; no other event arrived',
  ],
  'it is not found': [
    (_req, res) => void res.writeHead(404, { 'content-type': 'text/html' }).end('<!doctype html>'),
    client => client.next(),
    'the response is not an event stream: 404 text/html, its body begins "<!doctype html>"',
  ],
  'it is not found, in a loop': [
    (_req, res) => void res.writeHead(404, { 'content-type': 'text/html' }).end('<!doctype html>'),
    async client => {
      for await (const _ of client);
    },
    'the response is not an event stream: 404 text/html, its body begins "<!doctype html>"',
  ],
  'it is of another type': [
    (_req, res) => void res.writeHead(200, { 'content-type': 'text/event-streams' }).write('x'.repeat(1000)),
    client => client.next(),
    `the response is not an event stream: 200 text/event-streams, its body begins "${'x'.repeat(200)}"`,
  ],
  'it is of no type': [
    (_req, res) => void res.end(),
    client => client.next(),
    'the response is not an event stream: 200 without a content-type, its body begins ""',
  ],
  'it does not end': [
    sending('data: 1\n\n'),
    async client => {
      await client.next();
      await client.ended;
    },
    'the stream did not end within 1 s; received: message 1',
  ],
  'the client was disconnected': [
    sending('data: 1\n\n'),
    async client => {
      await client.next();
      client.disconnect();
      await client.next();
    },
    'the client was disconnected before the event: call reconnect(); received: message 1',
  ],
  'the client is closed meanwhile': [
    sending(':\n\n'),
    async client => {
      const next = client.next();
      client.close();
      await next;
    },
    'the client was closed before the event; no other event arrived',
  ],
  'the data is not JSON': [
    sending('data: {oops\n\n'),
    async client => (await client.next()).json(),
    'the data is not JSON: message {oops',
  ],
};

describe.concurrent('error messages', () => {
  it.each(Object.entries(failures))('%s', async (_name, [answer, act, message]) => {
    const error = await act(await to(answer)).then(
      () => undefined,
      error => error,
    );
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toBe(message);
    // Where in the test.
    expect(error.stack).toContain('failures.test.ts');
  });

  it('there is no response', async () => {
    const inProcess = connect({ fetch: () => new Promise<Response>(() => {}) }, '/events', { timeout });
    const errors = await Promise.all([to(() => {}), inProcess].map(failed => failed.catch(error => error)));
    for (const error of errors) {
      expect(error.message).toBe('no response to GET /events within 1 s');
      // It gave up by itself: what it did that with says nothing.
      expect(error.cause).toBeUndefined();
    }
  });

  it.each<[what: unknown, shown: string]>([
    [{}, 'an object'],
    [{ app: {} }, 'an object with app'],
    [undefined, 'undefined'],
    [null, 'null'],
    [3000, '3000'],
    ['localhost:3000', '"localhost:3000"'],
    ['', '""'],
  ])('what it is to connect to is none: %o', async (what, shown) => {
    await expect(connect(what as Target, '/events')).rejects.toThrow(
      'target must be an Express, Koa, Hono or Fastify application, an object with fetch(request), a request listener or a ' +
        `server of node:http, or the URL of a server, beginning with http: or https:; got ${shown}`,
    );
  });

  it('the path is missing', async () => {
    const failed = connect(createServer(), undefined as unknown as string);
    await expect(failed).rejects.toThrow("path must be a string, such as '/events'; got undefined");
  });

  it('the body is an object', async () => {
    const body = { secret: 1 } as unknown as string;
    await expect(to(sending(':\n\n'), { body })).rejects.toThrow(
      'body must be a string: for JSON, JSON.stringify(…) and a content-type in headers; got an object with secret',
    );
  });

  it('the connection fails, with its cause', async () => {
    const failed = connect(`http://127.0.0.1:${await freePort()}`, '/events', { body: 'x' });
    await expect(failed).rejects.toMatchObject({
      message: expect.stringContaining('POST /events failed: connect ECONNREFUSED'),
      cause: { code: 'ECONNREFUSED' },
    });
  });

  it('an application throws, with its cause', async () => {
    const cause = new Error('boom');
    const failed = connect({ fetch: () => Promise.reject(cause) }, '/events');
    await expect(failed).rejects.toMatchObject({ message: 'GET /events failed: boom', cause });
  });

  it('of JSON, too, with its cause', async () => {
    const event = await (await to(sending('data: {oops\n\n'))).next();
    expect(() => event.json()).toThrow(expect.objectContaining({ cause: expect.any(SyntaxError) }));
  });
});

it('distinguishes the end of a response from an aborted connection', async () => {
  expect(await (await to(ending('data: 1\n\n'))).ended).toBe(true);
  const cut = await to((_req, res) => {
    res.writeHead(200, head).write(':\n\n');
    setTimeout(() => res.destroy(), 10);
  });
  expect(await cut.ended).toBe(false);
});
