import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { connect, type TestClient } from '@tidings/testing';
import { afterEach, describe, expect, expectTypeOf, it, onTestFinished, vi } from 'vitest';
import { eventually } from '../../../test/support/client.ts';
import { freePort, run } from '../../../test/support/server.ts';
import { root } from '../../../test/support/snippets.ts';
import { expressApp, frameworks } from './apps.ts';

const clients: TestClient[] = [];
const open: typeof connect = async (...args) => {
  const client = await connect(...args);
  clients.push(client);
  return client;
};
afterEach(() => Promise.all(clients.splice(0).map(client => client.close())));

describe.each(Object.entries(frameworks))('on %s', (_name, make) => {
  it('returns events in order, each once', async () => {
    const hub = createHub();
    const client = await open(make(hub), '/prices');
    expect(client.status).toBe(200);
    expect(client.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const id = await hub.publish('prices', { acme: 1 }, { event: 'tick' });
    await hub.publish('prices', 'plain');
    const tick = await client.next<{ acme: number }>('tick');
    expect(tick).toEqual({ event: 'tick', data: '{"acme":1}', id });
    expect(tick.json().acme).toBe(1);
    expectTypeOf(tick.json()).toEqualTypeOf<{ acme: number }>();
    expect((await client.next('message')).data).toBe('plain');
    expect(client.events).toHaveLength(2);
    expect(client.retry).toBe(700);
  });

  it('reconnects as a browser does, after the last event', async () => {
    const hub = createHub();
    const client = await open(make(hub), '/prices');
    await hub.publish('prices', 1);
    await client.next();
    client.disconnect();
    await eventually(() => hub.streams.size === 0);
    await hub.publish('prices', 2);
    await hub.publish('prices', 3);
    await client.reconnect();
    expect([(await client.next()).data, (await client.next()).data]).toEqual(['2', '3']);
    expect(client.events.map(({ data }) => data)).toEqual(['1', '2', '3']);
  });

  it('gets 204 when the stream has ended', async () => {
    const client = await open(make(), '/countdown');
    const data: string[] = [];
    for await (const event of client) data.push(event.data);
    expect(data).toEqual(['3', '2', '1']);
    expect(await client.ended).toBe(true);
    expect(client.lastEventId).toBe('end.');
    await client.reconnect();
    expect(client.status).toBe(204);
    await expect(client.next()).rejects.toThrow(
      'the stream ended (status 204) before the event; received: message 3, message 2, message 1',
    );
  });

  it('sends the method, headers and body', async () => {
    const headers = { 'content-type': 'text/plain', 'X-Who': 'ann' };
    const client = await open(make(), '/echo', { body: 'hello', headers });
    expect((await client.next('echo')).json()).toEqual(['hello', 'ann']);
  });

  it('applies back-pressure when it stalls', async () => {
    const hub = createHub({ maxBufferedBytes: 2 ** 30 });
    const client = await open(make(hub), '/prices', { timeout: 10_000 });
    const [stream] = hub.streams;
    client.stall();
    const piece = 'x'.repeat(2 ** 20);
    // More than the kernel takes for a socket.
    for (let n = 0; n < 32; n++) stream?.send(piece);
    expect(stream?.bufferedBytes).toBeGreaterThan(2 ** 20);
    const { length } = client.events;
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(client.events).toHaveLength(length);
    expect(stream?.bufferedBytes).toBeGreaterThan(2 ** 20);
    client.resume();
    for (let n = 0; n < 32; n++) expect((await client.next()).data).toHaveLength(2 ** 20);
  });

  it('disconnects when it is closed', async () => {
    const hub = createHub();
    const client = await open(make(hub), '/prices');
    const [stream] = hub.streams;
    await client.close();
    expect(await stream?.closed).toBe('disconnected');
    await expect(client.reconnect()).rejects.toThrow('the client is closed');
  });
});

it('sends lastEventId in UTF-8 with the first request', async () => {
  const hub = createHub();
  const seen: (string | undefined)[] = [];
  const server = createServer((req, res) => {
    const stream = openStream(req, res, { hub });
    seen.push(stream.lastEventId);
    stream.send('', { id: 'größe' });
  });
  const client = await open(server, '/', { lastEventId: '日本' });
  await client.next();
  expect(client.lastEventId).toBe('größe');
  await client.reconnect();
  expect(seen).toEqual(['日本', 'größe']);
});

it('notifies a Fetch application of a disconnect by the signal and by the cancelled body', async () => {
  let signal: AbortSignal | undefined;
  let isCancelled = false;
  const fetch = (request: Request) => {
    signal = request.signal;
    const body = new ReadableStream({
      cancel() {
        isCancelled = true;
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
  };
  const client = await open({ fetch }, '/');
  expect([signal?.aborted, isCancelled]).toEqual([false, false]);
  client.disconnect();
  expect([signal?.aborted, isCancelled]).toEqual([true, true]);
});

it('connects to a URL, and leaves its server running, without a connection', async () => {
  const httpServer = createServer(expressApp());
  const server = await run(httpServer);
  try {
    const client = await open(server.origin, '/countdown');
    await client.next();
    expect(await client.ended).toBe(true);
    await expect.poll(promisify(httpServer.getConnections.bind(httpServer))).toBe(0);
    await client.close();
    const again = await open(new URL(server.origin), '/countdown?again');
    expect((await again.next()).data).toBe('3');
  } finally {
    server.kill();
  }
});

it('stops only a server that it has started', async () => {
  const server = createServer(expressApp());
  const first = await open(server, '/prices');
  const second = await open(server, '/prices');
  await first.close();
  expect(server.listening).toBe(true);
  await second.reconnect();
  await second.close();
  expect(server.listening).toBe(false);

  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  try {
    await (await open(server, '/prices')).close();
    expect(server.listening).toBe(true);
  } finally {
    server.close();
  }
});

it('does not start a server that is about to listen, and leaves no listener on a server that it has started', async () => {
  const server = createServer(expressApp());
  for (let i = 0; i < 3; i++) await (await open(server, '/prices')).close();
  expect(server.listenerCount('connection')).toBe(createServer(() => {}).listenerCount('connection'));

  const port = await freePort();
  server.listen(port, '127.0.0.1');
  try {
    await (await open(server, '/prices')).close();
    expect(server.address()).toMatchObject({ port });
    expect(server.listening).toBe(true);
  } finally {
    server.close();
  }
});

it('returns one event to each of several pending calls, in order', async () => {
  const hub = createHub();
  const client = await open(expressApp(hub), '/prices');
  const both = Promise.all([client.next(), client.next('last')]);
  await hub.publish('prices', 1);
  await new Promise(resolve => setTimeout(resolve, 20));
  await hub.publish('prices', 2, { event: 'last' });
  expect((await both).map(({ data }) => data)).toEqual(['1', '2']);
});

it('waits for each event of a loop, and ends the loop at a 204', async () => {
  const hub = createHub();
  const client = await open(expressApp(hub), '/prices', { timeout: 1_000 });
  const loop = (async () => {
    for await (const event of client) expect(event).toBe('none');
  })();
  const late = setTimeout(() => hub.publish('prices', 'late'), 1_500);
  await expect(loop).rejects.toThrow('no event within 1 s; no other event arrived');
  clearTimeout(late);

  const countdown = await open(expressApp(), '/countdown');
  for await (const _ of countdown);
  await countdown.reconnect();
  for await (const event of countdown) expect(event).toBe('none');
  expect(countdown.status).toBe(204);
});

it('disconnects while it reconnects', async () => {
  const hub = createHub();
  const client = await open(expressApp(hub), '/prices');
  const back = client.reconnect();
  client.disconnect();
  await expect(back).rejects.toThrow('the client was disconnected');
  await Promise.allSettled([client.reconnect(), client.reconnect()]);
  client.disconnect();
  await eventually(() => hub.streams.size === 0);
});

it('has a comment for the first byte, and one for each heartbeat', async () => {
  const hub = createHub({ heartbeat: 20 });
  const server = createServer((req, res) => void openStream(req, res, { hub }));
  const client = await open(server, '/');
  await eventually(() => client.comments.length > 2);
  expect(new Set(client.comments)).toEqual(new Set(['']));
});

it('receives with the fake timers that the README names for Vitest', async () => {
  const readme = readFileSync(`${root}packages/testing/README.md`, 'utf8');
  const options = /`vi\.useFakeTimers\((\{.*?\})\)`/.exec(readme)?.[1] ?? '';
  vi.useFakeTimers(new Function(`return ${options}`)());
  onTestFinished(() => void vi.useRealTimers());
  vi.resetModules();
  const core = await import('@tidings/core');
  const node = await import('@tidings/core/node');
  const testing = await import('@tidings/testing');
  const hub = core.createHub({ heartbeat: 60_000 });
  const server = createServer((req, res) => void node.openStream(req, res, { hub }).subscribe('news'));
  const client = await testing.connect(server, '/', { timeout: 500 });
  await hub.publish('news', 1);
  expect((await client.next()).data).toBe('1');
  // The first heartbeat is spread over the interval.
  await vi.advanceTimersByTimeAsync(120_000);
  while (client.comments.length < 2) await new Promise(resolve => setImmediate(resolve));
  await expect(client.next()).rejects.toThrow('no event within');
  await client.close();
});
