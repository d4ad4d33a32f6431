import { createHub } from '@tidings/core';
import { expect, it } from 'vitest';
import { open, quietHub, until, wait } from '../support/memory-stream.ts';

it('a stream that subscribes again without `from` misses no event', async () => {
  const hub = quietHub();
  const { stream, transport, data } = open(hub);
  stream.subscribe('a');
  await wait(10);
  hub.publish('a', 1);
  hub.publish('a', 2);
  stream.subscribe(['a', 'b']);
  hub.publish('a', 3);
  await wait(10);
  expect(data()).toEqual(['1', '2', '3']);
  transport.isFull = true;
  for (let i = 4; i < 8; i++) {
    hub.publish('a', i);
    await wait(2);
  }
  stream.subscribe('a', { filter: ({ data }) => Number(data) % 2 === 0 });
  transport.drain();
  await wait(10);
  expect(data()).toEqual(['1', '2', '3', '4', '6']);
});

it('a filter may send, close and unsubscribe, in order with the events', async () => {
  const hub = quietHub();
  for (let i = 1; i <= 5; i++) hub.publish('a', i);
  const sending = open(hub);
  sending.stream.subscribe('a', {
    from: 'start',
    filter: ({ data }) => data !== 2 || sending.stream.send('sent'),
  });
  const closing = open(hub);
  closing.stream.subscribe('a', {
    from: 'start',
    filter({ data }) {
      if (data === 2) closing.stream.close();
      return true;
    },
  });
  const leaving = open(hub);
  leaving.stream.subscribe('a', {
    from: 'start',
    filter({ data }) {
      if (data === 2) leaving.stream.unsubscribe('a');
      return true;
    },
  });
  await wait(20);
  expect(sending.data().filter(data => data !== 'sent')).toEqual(
    expect.arrayContaining(['1', '3', '4', '5']),
  );
  expect(sending.data().at(-1)).toBe('sent');
  expect(closing.data()).toEqual(['1', '2', '3', '4', '5']);
  expect(await closing.stream.closed).toBe('closed');
  expect(leaving.data()).toEqual(['1', '2']);
});

it('skips an event whose filter fails, also while it looks for the end', async () => {
  const stages: string[] = [];
  const hub = quietHub({ onError: (_, { stage }) => stages.push(stage) });
  hub.publish('a', 1);
  hub.channel('a').end();
  const { stream, transport } = open(hub);
  stream.subscribe('a', {
    from: 'start',
    filter() {
      throw new Error('of the filter');
    },
  });
  expect(await stream.closed).toBe('ended');
  expect(transport.status).toBe(204);
  expect(new Set(stages)).toEqual(new Set(['subscribe']));
});

it('a filter receives all fields of an event; `except` is a client or a stream', async () => {
  const hub = quietHub();
  const seen: unknown[] = [];
  const ann = open(hub, undefined, { client: 'ann' });
  ann.stream.subscribe('a', { filter: event => seen.push(event) > 0 });
  const bob = open(hub, undefined, { client: 'bob' });
  bob.stream.subscribe('a');
  await until(() => ann.lastId() !== undefined && bob.lastId() !== undefined);
  hub.publish('a', 1, { event: 'e', key: 'k' });
  hub.publish('a', 2, { except: 'ann' });
  hub.publish('a', 3, { except: bob.stream.id });
  hub.publish('a', 4);
  await until(() => ann.data().includes('4') && bob.data().includes('4'));
  expect(seen[0]).toEqual({ channel: 'a', event: 'e', key: 'k', data: 1 });
  expect(ann.data()).toEqual(['1', '3', '4']);
  expect(bob.data()).toEqual(['1', '2', '4']);
});

it('events that are sent while a snapshot is awaited are bounded, with back-pressure', async () => {
  let give = (_state: string) => {};
  const hub = quietHub({
    maxBufferedBytes: 1000,
    bufferedBytesLimit: 1000,
    channels: () => ({ snapshot: () => new Promise(resolve => (give = resolve)) }),
  });
  const bounded = open(hub);
  bounded.stream.subscribe('a');
  await wait(10);
  while (!bounded.stream.signal.aborted) bounded.stream.send('x'.repeat(300));
  expect(await bounded.stream.closed).toBe('slow');
  const patient = open(hub);
  patient.stream.subscribe('a');
  await wait(10);
  expect(patient.stream.send('y')).toBe(false);
  let hasDrained = false;
  patient.stream.drained().then(() => {
    hasDrained = true;
  });
  await wait(10);
  expect(hasDrained).toBe(false);
  give('state');
  await wait(10);
  expect(hasDrained).toBe(true);
  expect(patient.data()).toEqual(['state', 'y']);
});

it('a stream with a pending snapshot can be closed', async () => {
  const hub = quietHub({ channels: () => ({ snapshot: () => new Promise(() => {}) }) });
  const { stream, data } = open(hub, undefined, { client: 'ann' });
  stream.subscribe('a');
  await wait(10);
  stream.send('goodbye');
  await hub.clients.disconnect('ann');
  expect(await stream.closed).toBe('closed');
  expect(data()).toEqual(['goodbye']);
});

it('the id of an idle stream follows the hub, so that events of other channels cause no reset', async () => {
  const hub = createHub({ heartbeat: 20, history: { events: 3 } });
  const quiet = open(hub);
  quiet.stream.subscribe('quiet');
  await hub.publish('quiet', 1);
  await wait(30);
  let id = '';
  for (let i = 0; i < 10; i++) id = await hub.publish('busy', i);
  for (let i = 0; i < 100 && quiet.lastId() !== id; i++) await wait(10);
  expect(quiet.lastId()).toBe(id);
});

it('a marker replaces a heartbeat', async () => {
  const hub = createHub({ heartbeat: 20 });
  const { stream, transport } = open(hub);
  stream.subscribe('quiet');
  await wait(10);
  const id = await hub.publish('other', 1);
  const write = transport.write.bind(transport);
  const after = new Promise<string>(resolve => {
    transport.write = frame => {
      const hasRoom = write(frame);
      if (transport.text.endsWith(`id: ${id}\n\n`)) setImmediate(() => resolve(transport.text));
      return hasRoom;
    };
  });
  expect(await after).toMatch(new RegExp(`id: ${id}\n\n$`));
});

it.each([
  ['to nothing', []],
  ['to what nobody knows', ['a']],
])('a client that had received everything and now subscribes %s', async (_, channels) => {
  const hub = quietHub();
  const { stream, transport } = open(hub, 'abc-1.');
  stream.subscribe(channels);
  await wait(10);
  expect(transport.status).toBe(channels.length === 0 ? 200 : 204);
});

it('events sent to a reconnected client arrive, even if its channel has ended', async () => {
  const hub = quietHub();
  const id = await hub.publish('other', 1);
  await hub.channel('a').end();
  const { stream, transport, data, lastId } = open(hub, id);
  stream.send('sent');
  stream.subscribe('a');
  expect(await stream.closed).toBe('ended');
  expect(transport.status).toBe(200);
  expect(data()).toEqual(['sent']);
  // The next time there is nothing to say.
  const again = open(hub, lastId());
  again.stream.subscribe('a');
  expect(await again.stream.closed).toBe('ended');
  expect(again.transport.status).toBe(204);
});

it('a filter subscribes to an ended channel with a state, which is sent before the end', async () => {
  const snapshot = async () => {
    await wait(5);
    return 'state';
  };
  const hub = quietHub({ channels: name => (name === 'b' ? { snapshot } : undefined) });
  await hub.publish('b', 1);
  await hub.channel('b').end();
  const { stream, data } = open(hub);
  const filter = () => {
    if (data().length === 0) stream.subscribe('b');
    return false;
  };
  stream.subscribe('a', { filter });
  await wait(5);
  hub.publish('a', 1);
  hub.channel('a').end();
  expect(await stream.closed).toBe('ended');
  expect(data()).toEqual(['state']);
});

it('a `channels` function that throws leaves nothing behind', async () => {
  const hub = quietHub({
    onError: () => {},
    channels(name) {
      if (name === 'bad') throw new Error('no such channel');
      return {};
    },
  });
  const { stream } = open(hub);
  expect(() => stream.subscribe(['a', 'bad'])).toThrow('no such channel');
  expect(hub.channel('a').subscriberCount).toBe(0);
  await expect(hub.publish('bad', 1)).rejects.toThrow('no such channel');
});

it('tombstones do not count as keys, and expire with age', async () => {
  const hub = quietHub({ channels: () => ({ compact: true, history: { events: 5, age: 40 } }) });
  await hub.publish('a', 'alice', { key: 'alice' });
  const id = await hub.publish('a', 'bob', { key: 'bob' });
  for (let i = 0; i < 50; i++) {
    hub.publish('a', i, { key: `${i}` });
    await hub.publish('a', null, { key: `${i}`, gone: true });
    await wait(0);
  }
  const early = open(hub);
  early.stream.subscribe('a');
  await wait(10);
  expect(early.data().slice(0, 2)).toEqual(['alice', 'bob']);
  expect(early.data().length).toBeLessThanOrEqual(2 + 5 + 1);
  expect(early.transport.text).not.toContain('reset');
  for (let i = 0; i < 300 && hub.stats().historyBytes > 2_000; i++) await wait(10);
  const late = open(hub);
  late.stream.subscribe('a');
  await wait(10);
  expect(late.data()).toEqual(['alice', 'bob']);
  // Who was there before them cannot be told one by one which have gone.
  const back = open(hub, id);
  back.stream.subscribe('a');
  await wait(10);
  expect(back.transport.text).toContain('event: reset');
  expect(back.data().filter(data => data === 'alice' || data === 'bob')).toEqual(['alice', 'bob']);
});

it('all histories together are bounded: oldest channels are evicted first, compacted ones last', async () => {
  const hub = quietHub({
    channels: name => ({ compact: name === 'state', history: { events: 1e6, bytes: 1e9 } }),
  });
  await hub.publish('state', 'kept', { key: 'k' });
  const text = 'x'.repeat(1024 * 1024);
  for (let i = 0; i < 50; i++) {
    await hub.publish('old', `${i} ${text}`);
    await wait(0);
  }
  for (let i = 0; i < 80; i++) {
    await hub.publish('new', text);
    await wait(0);
    if (i === 20) expect(hub.stats().historyBytes).toBeGreaterThan(60 * 1024 * 1024);
  }
  await wait(5);
  expect(hub.stats().historyBytes).toBeLessThanOrEqual(64 * 1024 * 1024);
  const state = open(hub);
  state.stream.subscribe('state');
  await wait(10);
  expect(state.data()).toEqual(['kept']);
});

it('a channel that has ended may be ended again', async () => {
  const errors: unknown[] = [];
  const hub = quietHub({ onError: error => errors.push(error) });
  await hub.publish('a', 1);
  const id = await hub.channel('a').end();
  expect(await hub.channel('a').end()).toBe(id);
  expect(errors).toEqual([]);
});

it('a client resumes even if an event is sent to it before it is subscribed', async () => {
  const hub = quietHub();
  const id = await hub.publish('a', 'before');
  await hub.publish('a', 'missed');
  const { stream, data } = open(hub, id);
  expect(stream.send('hello')).toBe(true);
  stream.subscribe('a');
  await hub.publish('a', 'live');
  await until(() => data().includes('live'));
  expect(data()).toEqual(['hello', 'missed', 'live']);
});
