import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import type { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createHub, type EventStream } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterEach, expect, it } from 'vitest';
import { type Client, eventually, request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

// Timers that are unref'd are in no list.
const timers = new Map<number, string>();
const hook = createHook({
  init(id, type) {
    if (type === 'Timeout') timers.set(id, new Error().stack ?? '');
  },
  destroy: id => timers.delete(id),
});
const ofTidings = () => [...timers.values()].filter(stack => /packages.core/.test(stack)).length;

let server: Running;
afterEach(() => server.kill());

it('leaves nothing of 300 streams that are opened, used and aborted at random', async () => {
  const errors: unknown[] = [];
  hook.enable();
  const hub = createHub({ heartbeat: 20, stallTimeout: 5_000, onError: error => errors.push(error) });
  const settled: Promise<unknown>[] = [];
  const sockets = new Set<Socket>();
  let most = 0;
  const uses: ((stream: EventStream) => unknown)[] = [
    () => {},
    stream => stream.send('x'.repeat(200_000)),
    stream => stream.close(),
    stream => settled.push(stream.closed, stream.drained()),
    stream => settled.push(stream.stream(count())),
    stream => settled.push(stream.stream(() => new Promise<never>(() => {}))),
    stream => stream.signal.addEventListener('abort', () => stream.send('too late')),
  ];
  server = await listen((req, res) => {
    sockets.add(req.socket);
    most = Math.max(most, ofTidings());
    const stream = openStream(req, res, { hub, client: `client ${req.url}` });
    settled.push(stream.closed);
    uses[Number(req.url.slice(1)) % uses.length]?.(stream);
  });
  const handles = () =>
    process
      .getActiveResourcesInfo()
      .filter(name => name !== 'Immediate')
      .sort()
      .join();
  const before = handles();

  const departures: ((client: Client) => void)[] = [
    client => client.reset(),
    client => client.leave(),
    client => setTimeout(() => client.reset(), 30),
    client => {
      client.stall();
      setTimeout(() => client.leave(), 20);
      setTimeout(() => client.resume(), 30);
    },
  ];
  const opened = Array.from({ length: 300 }, async (_, i) => {
    await new Promise(resolve => setTimeout(resolve, (i * 7) % 200));
    const client = await request(server.origin, `/${i}`);
    departures[i % departures.length]?.(client);
    await client.ended;
  });
  await Promise.all(opened);
  await Promise.all(settled);
  expect(hub.streams.size).toBe(0);
  expect(hub.clients.size).toBe(0);
  expect(errors).toEqual([]);
  expect(most).toBe(1);
  await eventually(() => [...sockets].every(socket => socket.destroyed));
  await eventually(() => handles() <= before && ofTidings() === 0);
  hook.disable();
});

it('does not keep the context of the first request', async () => {
  const hub = createHub();
  const context = new AsyncLocalStorage<object>();
  const stores: WeakRef<object>[] = [];
  server = await listen((req, res) => {
    const store = {};
    stores.push(new WeakRef(store));
    context.run(store, () => openStream(req, res, { hub }));
  });
  const first = await request(server.origin, '/');
  const second = await request(server.origin, '/');
  first.reset();
  await eventually(() => hub.streams.size === 1);
  // The clock that the first request started still runs for the second.
  await eventually(() => {
    collectGarbage();
    return stores[0]?.deref() === undefined;
  });
  second.reset();
});

async function* count() {
  for (let i = 0; ; i++) {
    yield i;
    await new Promise(resolve => setTimeout(resolve, 1));
  }
}
