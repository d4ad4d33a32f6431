import { expect, it } from 'vitest';
import { wait } from '../../../test/support/memory-stream.ts';
import { createHub } from '../src/hub/create-hub.ts';
import type { Hub } from '../src/hub/hub.ts';
import type { PublishFields } from '../src/hub/hub-channel.ts';
import type { Observer } from '../src/hub/observability/observer.ts';
import { MemoryTransport } from './memory-transport.ts';

const request = { method: 'GET', url: '/' };

it('counts the age of the first stream from its opening, however long the hub was idle', async () => {
  const hub = createHub({ maxAge: 200 });
  hub.open(new MemoryTransport(), request).close();
  await wait(250);
  const stream = hub.open(new MemoryTransport(), request);
  await wait(80);
  expect(stream.signal.aborted).toBe(false);
  expect(await stream.closed).toBe('maxAge');
});

it('closes a stream whose heartbeat cannot be written, and continues', async () => {
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

it('ignores an onError that rejects', async () => {
  const hub = createHub({
    onError: async () => {
      throw new Error('of its own');
    },
  });
  const stream = hub.open(new MemoryTransport(), request);
  expect(await stream.stream([Symbol('unsendable')])).toBe(false);
  await wait(5);
});

it('ends all streams, even if a write to one of them fails', async () => {
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

it('does not replace a stream for a request that gets 204', async () => {
  const hub = createHub({ limits: { perClient: 1, streams: 1 } });
  const live = hub.open(new MemoryTransport(), request, { client: 'ann' });
  const finished = hub.open(new MemoryTransport(), { ...request, lastEventId: 'end.' }, { client: 'ann' });
  expect(await finished.closed).toBe('ended');
  expect(live.signal.aborted).toBe(false);
});

it('does not end the process when a rejected publish is not awaited', async () => {
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

it('keeps the order of sent and published events', async () => {
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

it('prefers the latest options of hub.channel() to those by name', async () => {
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

it('sends the latest event of each key to streams that were about to begin when it arrived, and to later ones', async () => {
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

it('allows an observer to publish the end of a stream while the hub closes', async () => {
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

it.each<[string, unknown]>([
  ['a list', ['a']],
  ['a list of two', ['a', 'b']],
  ['an empty list', []],
  ['no name', ''],
  ['null', null],
  ['a number', 5],
  ['an object without a name', {}],
  ['a function', function a() {}],
  ["the hub's own channel", '\0control'],
  ['a lone surrogate', 'a\ud800'],
  ['an object whose name has one', { name: '\udc00' }],
])('takes one channel that has a name: not %s', async (_, channel) => {
  const hub = createHub({ onError: () => {} });
  const refused = expect.objectContaining({
    code: 'invalid-option',
    message: expect.stringMatching(/^a channel must be a name/),
  });
  expect(() => hub.channel(channel as string)).toThrow(refused);
  await expect(hub.publish(channel as string, 1)).rejects.toEqual(refused);
  if (!Array.isArray(channel)) {
    const stream = hub.open(new MemoryTransport(), request);
    expect(() => stream.subscribe(channel as string)).toThrow(refused);
    expect(() => stream.subscribe(['b', channel as string])).toThrow(refused);
  }
  expect(hub.stats().published).toBe(0);
});

it.each<[string, unknown]>([
  ['fields', null],
  ['fields', 5],
  ['fields', 'update'],
  ['fields', []],
  ['event', { event: 5 }],
  ['event', { event: null }],
  ['event', { event: 'a\nb' }],
  ['key', { key: 5 }],
  ['key', { key: null }],
  ['gone', { gone: 'yes' }],
  ['gone', { gone: null }],
  ['except', { except: null }],
  ['except', { except: 5 }],
  ['except', { except: {} }],
  ['except', { except: { id: 5 } }],
  ['except', { except: ['ann'] }],
  ['id', { id: '5' }],
  ['retry', { retry: 5 }],
])('rejects what is published with bad %s: %j', async (name, fields) => {
  const errors: unknown[] = [];
  const hub = createHub({ onError: error => errors.push(error) });
  const refused = expect.objectContaining({
    code: 'invalid-field',
    message: expect.stringMatching(new RegExp(`^${name} must`)),
  });
  await expect(hub.publish('a', 1, fields as PublishFields)).rejects.toEqual(refused);
  await expect(hub.channel('a').publish(1, fields as PublishFields)).rejects.toEqual(refused);
  expect(errors).toEqual([refused, refused]);
  expect(hub.stats().published).toBe(0);
});

it('accepts every field', async () => {
  const hub = createHub({ heartbeat: false });
  const stream = hub.open(new MemoryTransport(), request);
  const all = { event: 'e', key: 'k', gone: false };
  for (const except of [undefined, 'ann', stream]) await hub.publish('a', 1, { ...all, except });
  await hub.publish({ name: 'a' }, 1, undefined);
  expect(hub.stats().published).toBe(4);
});

it.each<[string, (hub: Hub) => unknown]>([
  ['options', () => createHub(null as unknown as object)],
  ['options', () => createHub(5 as unknown as object)],
  ['options', hub => hub.channel('x', null as unknown as object)],
  ['options', hub => hub.close(null as unknown as object)],
  ['compact', hub => hub.channel('x', { compact: 'yes' as unknown as boolean })],
  ['history', () => createHub({ history: [] as object })],
])('refuses %s that are none: %s', (name, call) => {
  expect(() => call(createHub())).toThrow(
    expect.objectContaining({
      code: 'invalid-option',
      message: expect.stringMatching(new RegExp(`^${name} must be`)),
    }),
  );
});

it('rejects an event for a channel with invalid options', async () => {
  const hub = createHub({ channels: (async () => ({})) as unknown as () => object, onError: () => {} });
  await expect(hub.publish('a', 1)).rejects.toThrow(/^channels must be a synchronous function/);
});

it('reports the rejection of an async callback of its observer', async () => {
  const errors: unknown[] = [];
  const fail = (name: string) => async () => {
    throw name;
  };
  const observer: Observer = {
    opened: fail('opened'),
    published: fail('published'),
    delivered: fail('delivered'),
    closed: fail('closed'),
  };
  const hub = createHub({
    heartbeat: false,
    observer,
    onError: (error, { stage }) => errors.push([stage, error]),
  });
  const stream = hub.open(new MemoryTransport(), request);
  await hub.publish('a', 1);
  await wait(10);
  stream.close();
  await stream.closed;
  await wait(10);
  const names = new Set(errors.map(error => (error as string[]).join(' ')));
  expect([...names].sort()).toEqual(
    ['closed', 'delivered', 'opened', 'published'].map(name => `observer ${name}`),
  );
});
