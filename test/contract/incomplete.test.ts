import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import type { EventStream } from '@tidings/core';
import { expect, it } from 'vitest';
import { contract } from './contract.ts';

const POST = { method: 'POST', body: '{}' };

contract('the response to a POST', ({ connect, serve, mount }) => {
  it.each([
    [
      'its source fails',
      {},
      'error',
      (stream: EventStream) =>
        stream.stream(async function* () {
          yield 'half';
          throw new Error('the model is gone');
        }),
    ],
    ['it is too old', { maxAge: 60 }, 'maxAge', (stream: EventStream) => stream.send('half')],
  ])('is aborted after the sent events, if %s', async (_, hub, reason, use) => {
    const opened: EventStream[] = [];
    const { client, stream } = await connect({
      hub: { ...hub, onError: () => {} },
      request: POST,
      use: stream => {
        opened.push(stream);
        return use(stream);
      },
    });
    expect(await client.ended).toBe(false);
    expect(client.text).toBe('data: half\n\n');
    expect(await stream.closed).toBe(reason);
  });

  it('is aborted if its credential expires, with the reconnection time only in a marker', async () => {
    const { client } = await connect({
      stream: { expiresAt: Date.now() + 80 },
      request: POST,
      use: stream => void stream.subscribe('news'),
    });
    expect(await client.ended).toBe(false);
    expect(client.text).not.toMatch(/\n\nretry/);
  });

  it('is aborted after the sent events, even if the client reads late', async () => {
    const size = 200_000;
    const { client } = await connect({
      hub: { onError: () => {} },
      request: POST,
      use: stream =>
        stream.stream(async function* () {
          for (let n = 0; n < 20; n++) yield 'x'.repeat(size);
          throw new Error('the model is gone');
        }),
    });
    client.stall();
    await new Promise(resolve => setTimeout(resolve, 50));
    client.resume();
    expect(await client.ended).toBe(false);
    expect(client.events.map(({ data }) => data.length)).toEqual(Array.from({ length: 20 }, () => size));
  });

  it('is aborted after the sent events over HTTP/1.0, which has no last chunk', async () => {
    if (mount.http2) return;
    let fail = () => {};
    const failure = new Promise<void>(resolve => {
      fail = resolve;
    });
    const { server } = await serve(
      context =>
        context.stream(stream =>
          stream.stream(async function* () {
            yield 'half';
            await failure;
            throw new Error('the model is gone');
          }),
        ),
      { onError: () => {} },
    );
    const socket = net.connect(Number(new URL(server.origin).port), '127.0.0.1');
    let text = '';
    socket.on('data', chunk => {
      text += chunk;
      // Node.js reads a reset that comes together with bytes as a proper end.
      if (text.includes('half')) fail();
    });
    socket.write('POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}');
    expect(await once(socket, 'end').catch(error => error)).toMatchObject({ code: 'ECONNRESET' });
    expect(text).toMatch(/\r\n\r\ndata: half\n\n$/);
  });

  it.each([
    [
      'closed',
      (stream: EventStream) => {
        stream.send('all');
        stream.close();
      },
    ],
    ['ended', (stream: EventStream) => stream.stream(['all'])],
  ])('ends properly if it is %s', async (reason, use) => {
    const { client, stream } = await connect({ request: POST, use });
    expect(await client.ended).toBe(true);
    expect(client.text).toBe('data: all\n\n');
    expect(await stream.closed).toBe(reason);
  });

  it('continues while the hub closes, and its connection ends with it', async () => {
    const { hub, client, stream } = await connect({ request: POST });
    const closed = hub.close({ within: 30_000 });
    expect(stream.send('the rest')).toBe(true);
    stream.close();
    expect(await client.ended).toBe(true);
    expect(client.text).toBe(':\n\ndata: the rest\n\n');
    await closed;
  });

  it('is aborted at the deadline of a hub that closes', async () => {
    const { hub, client, stream } = await connect({ request: POST });
    await hub.close({ within: 50 });
    expect(await client.ended).toBe(false);
    expect(client.text).toBe(':\n\n');
    expect(await stream.closed).toBe('drained');
  });

  it('is 503 with Retry-After, over the limit of streams', async () => {
    const { hub, get } = await serve(context => context.stream(stream => stream.send('must not go out')), {
      limits: { streams: 0 },
    });
    // A client that would keep the connection.
    const agent = new http.Agent({ keepAlive: true });
    const client = await get('/', { ...POST, agent });
    expect(await client.ended).toBe(true);
    expect(client.status).toBe(503);
    expect(Number(client.headers['retry-after'])).toBeGreaterThanOrEqual(15);
    expect(client.headers['content-type']).not.toBe('text/event-stream; charset=utf-8');
    expect(client.text).toBe('');
    if (!mount.http2) expect(client.headers.connection).toBe('close');
    expect(hub.stats()).toMatchObject({ refused: 1, opened: 0 });
  });

  it('is 503 when the hub is closing', async () => {
    const { hub, get } = await serve(context => context.stream(stream => stream.subscribe('news')));
    await hub.close({ retry: [7_001, 7_001] });
    const client = await get('/', POST);
    expect(await client.ended).toBe(true);
    expect([client.status, client.headers['retry-after'], client.text]).toEqual([503, '8', '']);
  });
});
