import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type TestClient } from '@tidings/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/client.ts';

const clients: TestClient[] = [];
afterEach(() => Promise.all(clients.splice(0).map(client => client.close())));

/** A client of a server that writes these chunks one by one, each when the one before was received, and stays open. */
async function receiving(...chunks: string[]): Promise<TestClient> {
  const server = createServer(async (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    for (const chunk of chunks) {
      res.write(chunk);
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  });
  const client = await connect(server, '/');
  clients.push(client);
  return client;
}

describe('line breaks', () => {
  it.each([
    ['CR', ['data: a\r\r']],
    ['CR, in two chunks', ['data: a\r', '\r']],
    ['CRLF', ['data: a\r\n\r\n']],
    ['CRLF, cut in the middle', ['data: a\r', '\n\r', '\n']],
    ['CR, and a chunk that begins with a line break of its own', ['data: a\r', '\n', '\r']],
    ['LF', ['data: a\n\n']],
    ['all of them', ['data: a\n\r']],
  ])('%s: an event is received as soon as it is complete', async (_, chunks) => {
    const client = await receiving(...chunks);
    expect(await client.next()).toEqual({ event: 'message', data: 'a' });
  });

  it('are not duplicated by a CRLF that is split between chunks', async () => {
    const client = await receiving('data: a\r', '\ndata: b\r', '\n\r', '\n');
    expect((await client.next()).data).toBe('a\nb');
    expect(client.events).toHaveLength(1);
  });
});

describe('comments', () => {
  it('are in order with the events', async () => {
    const client = await receiving(': one\n\n', 'data: a\n\n:\n: three\n', 'data: b\n\n');
    await client.until(({ data }) => data === 'b');
    expect(client.items).toEqual([
      { comment: 'one' },
      { event: 'message', data: 'a' },
      { comment: '' },
      { comment: 'three' },
      { event: 'message', data: 'b' },
    ]);
    expect(client.comments).toEqual(['one', '', 'three']);
  });

  it('can be awaited, each once, while an event is awaited as well', async () => {
    const client = await receiving(': one\n\n', ': two\n\n', 'data: a\n\n');
    const event = client.next();
    expect(await Promise.all([client.nextComment(), client.nextComment()])).toEqual(['one', 'two']);
    expect((await event).data).toBe('a');
    await expect(client.nextComment()).rejects.toThrow('no comment within 2 s; received: message a');
  });

  it('are not skipped by a call that rejected', async () => {
    const server = createServer((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      server.once('late', () => res.write(': one\n\n'));
    });
    const client = await connect(server, '/', { timeout: 500 });
    clients.push(client);
    const failed = await Promise.allSettled([client.nextComment(), client.nextComment()]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    server.emit('late');
    await eventually(() => client.comments.length > 0);
    expect(await client.nextComment()).toBe('one');
  });
});

describe('until', () => {
  const events = ['event: a\ndata: 1\n\n', 'event: b\ndata: 2\n\nevent: a\ndata: 3\n\nevent: b\ndata: 4\n\n'];

  it('skips other events, by name', async () => {
    const client = await receiving(...events);
    expect(await client.until('b')).toEqual({ event: 'b', data: '2' });
    expect(await client.until('b')).toEqual({ event: 'b', data: '4' });
  });

  it('leaves the events that follow to `next`', async () => {
    const client = await receiving(...events);
    await client.until('b');
    expect(await client.next()).toEqual({ event: 'a', data: '3' });
  });

  it('skips events by a predicate, and parses data', async () => {
    const client = await receiving(...events);
    expect((await client.until<number>(event => event.json() === 4)).json()).toBe(4);
    expect(client.events).toHaveLength(4);
  });

  it('skips nothing when there is no such event, and lists the events that arrived', async () => {
    const client = await receiving(...events);
    await expect(client.until('c')).rejects.toThrow('no event "c" within 2 s; received: a 1, b 2, a 3, b 4');
    expect((await client.next()).data).toBe('1');
  });

  it('rejects with the error of its predicate, and skips nothing', async () => {
    const client = await receiving('data: 1\n\n', 'data: {oops\n\n', 'data: 2\n\n');
    const isTwo = client.until(event => event.json() === 2);
    await expect(isTwo).rejects.toThrow('the data is not JSON: message {oops');
    expect((await client.next()).data).toBe('1');
    await client.until(({ data }) => data === '2');
    expect(await client.ended.catch(({ message }) => message)).toMatch(/^the stream did not end/);
  });
});

describe('the request', () => {
  const headersOf = async (options: Parameters<typeof connect>[2] = {}) => {
    const server = createServer();
    const asked = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>;
    const [client, [req]] = await Promise.all([
      connect(server, '/', options),
      asked.then(pair => {
        pair[1].end();
        return pair;
      }),
    ]);
    clients.push(client);
    return req.headers;
  };

  it('has the headers of a browser', async () => {
    const { accept, 'cache-control': cacheControl, 'last-event-id': id } = await headersOf();
    expect([accept, cacheControl, id]).toEqual(['text/event-stream', 'no-cache', undefined]);
  });

  it('can have other headers', async () => {
    expect(await headersOf({ headers: { 'Cache-Control': 'max-age=0' } })).toMatchObject({
      'cache-control': 'max-age=0',
    });
  });

  it('is not repeated for a redirect, which the test can look at', async () => {
    const server = createServer((_req, res) => void res.writeHead(307, { location: '/other' }).end());
    const client = await connect(server, '/');
    clients.push(client);
    expect([client.status, client.headers.get('location')]).toEqual([307, '/other']);
    await expect(client.next()).rejects.toThrow('the response is not an event stream: 307');
  });
});
