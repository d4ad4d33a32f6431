import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createHub } from '../src/hub.ts';
import { MemoryTransport } from './memory-transport.ts';

const request = { method: 'GET', url: '/' };

it('counts the age of its first stream from its beginning, however long it was idle', async () => {
  const hub = createHub({ maxAge: 200 });
  hub.open(new MemoryTransport(), request).close();
  await wait(250);
  const stream = hub.open(new MemoryTransport(), request);
  await wait(80);
  expect(stream.signal.aborted).toBe(false);
  expect(await stream.closed).toBe('maxAge');
});

it('goes on when a heartbeat cannot be written, without that stream', async () => {
  const errors: unknown[] = [];
  const hub = createHub({ heartbeat: 20, onError: (error, { stage }) => errors.push([stage, error]) });
  const transport = new MemoryTransport();
  const stream = hub.open(transport, request);
  await wait(10);
  const failure = new Error('a wrapper');
  transport.write = () => {
    throw failure;
  };
  expect(await stream.closed).toBe('error');
  expect(errors).toEqual([['write', failure]]);
  const next = new MemoryTransport();
  hub.open(next, request);
  while (next.text.length < 9) await wait(5);
});

it('takes an onError that rejects', async () => {
  const hub = createHub({
    onError: async () => {
      throw new Error('of its own');
    },
  });
  const stream = hub.open(new MemoryTransport(), request);
  expect(await stream.stream([Symbol('unsendable')])).toBe(false);
  await wait(5);
});

it('ends all streams, though one of them cannot be written to', async () => {
  const errors: unknown[] = [];
  const hub = createHub({ onError: (_, { stage }) => errors.push(stage) });
  const broken = new MemoryTransport();
  const streams = [hub.open(broken, request), hub.open(new MemoryTransport(), request)];
  await wait(10);
  broken.write = () => {
    throw new Error('a wrapper');
  };
  await hub.close();
  expect(hub.streams.size).toBe(0);
  expect(await Promise.all(streams.map(stream => stream.closed))).toEqual(['drained', 'drained']);
  expect(errors).toEqual(['write']);
});

it('lets nobody be replaced by a client that is only told that there is no more', async () => {
  const hub = createHub({ limits: { perClient: 1, streams: 1 } });
  const live = hub.open(new MemoryTransport(), request, { client: 'ann' });
  const finished = hub.open(new MemoryTransport(), { ...request, lastEventId: 'end.' }, { client: 'ann' });
  expect(await finished.closed).toBe('ended');
  expect(live.signal.aborted).toBe(false);
});

it('publishes what nobody awaits without harm', async () => {
  const errors: unknown[] = [];
  const hub = createHub({
    onError: (error, { stage, channel }) => errors.push([stage, channel, (error as Error).name]),
  });
  hub.publish('', 1);
  hub.publish('a', undefined);
  hub.publish('a', 1, { event: 'a\nb' });
  await hub.close();
  hub.publish('a', 1);
  await wait(5);
  expect(errors).toEqual([
    ['publish', undefined, 'TidingsError'],
    ['publish', 'a', 'TypeError'],
    ['publish', 'a', 'TidingsError'],
    ['publish', 'a', 'TidingsError'],
  ]);
});

it('puts what is sent to a stream in its place among what is published to it', async () => {
  const hub = createHub();
  const transport = new MemoryTransport();
  const stream = hub.open(transport, request).subscribe('a');
  await wait(10);
  transport.isFull = true;
  hub.publish('a', 1);
  await wait(5);
  hub.publish('a', 2);
  expect(stream.send('own')).toBe(false);
  hub.publish('a', 3);
  await wait(5);
  transport.drain();
  await wait(5);
  const order = [...transport.text.matchAll(/data: (\S+)/g)].map(([, data]) => data);
  expect(order).toEqual(['1', '2', 'own', '3']);
});

it('gives a channel the options it was last given, over those by name', async () => {
  const hub = createHub({ channels: () => ({ history: { events: 2 } }), heartbeat: false });
  const read = async () => {
    const transport = new MemoryTransport();
    hub.open(transport, request).subscribe('a', { from: 'start' });
    await wait(10);
    return [...transport.text.matchAll(/data: (.+)/g)].map(match => match[1]);
  };
  hub.channel('a', { history: { events: 3 } });
  for (const key of ['x', 'y', 'x', 'y']) hub.publish('a', key, { key });
  await wait(5);
  expect(await read()).toEqual(['y', 'x', 'y']);
  hub.channel('a', { compact: true });
  expect(await read()).toEqual(['x', 'y']);
  hub.publish('a', 'new', { key: 'x' });
  expect(await read()).toEqual(['y', 'new']);
  hub.channel('a', { history: { events: 1 } });
  hub.publish('a', 'last', { key: 'x' });
  await wait(5);
  expect(await read()).toEqual(['last']);
  expect(() => hub.channel('a', { overflow: 'drop' as 'reset' })).toThrow(/overflow must be/);
  expect(() => hub.channel('')).toThrow(/must be a name/);
});

it('gives the newest of each key to streams that were to begin when it came, and to those after them', async () => {
  const hub = createHub({ channels: () => ({ compact: true }), heartbeat: false });
  const begin = () => {
    const transport = new MemoryTransport();
    hub.open(transport, request).subscribe('a');
    return transport;
  };
  const data = (transport: MemoryTransport) =>
    [...transport.text.matchAll(/data: (.+)/g)].map(match => match[1]);
  hub.publish('a', 'first', { key: 'other' });
  for (let i = 0; i < 5; i++) hub.publish('a', i, { key: 'k' });
  await wait(5);
  const during = begin();
  hub.publish('a', 5, { key: 'k' });
  await wait(10);
  const after = begin();
  await wait(10);
  expect(data(after)).toEqual(['first', '5']);
  expect(data(during).at(-1)).toBe('5');
  expect(data(during)).not.toContain('0');
});

it('lets who is told of the end of a stream publish it while the hub closes', async () => {
  const errors: unknown[] = [];
  const hub = createHub({ onError: error => errors.push(error) });
  const streams = [1, 2, 3].map(() => hub.open(new MemoryTransport(), request));
  const published = streams.map(stream => stream.closed.then(() => hub.publish('left', 'one')));
  await wait(10);
  await hub.close();
  expect((await Promise.all(published)).length).toBe(3);
  expect(errors).toEqual([]);
  await expect(hub.publish('left', 'one')).rejects.toMatchObject({ code: 'closed' });
});
