import { setImmediate as turn } from 'node:timers/promises';
import { createHub, type SubscribeOptions } from '@tidings/core';
import { describe, expect, it } from 'vitest';
import { follow, open, quietHub, until, wait } from '../support/memory-stream.ts';
import { unreliableHub } from '../support/unreliable-broker.ts';

const MIB = 1024 * 1024;
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

describe('a slow stream', () => {
  it('receives a reset for a channel, and continues with new events', async () => {
    const hub = quietHub({ history: { events: 3 } });
    const { stream, transport, data, lastId } = open(hub);
    stream.subscribe('a');
    await until(() => lastId() !== undefined);
    transport.isFull = true;
    for (let i = 1; i <= 9; i++) {
      hub.publish('a', i);
      await wait(1);
    }
    await wait(20);
    transport.drain();
    await until(() => data().length === 2);
    hub.publish('a', 10);
    await until(() => data().length === 3);
    expect(data()).toEqual(['1', '{"reason":"slow","channels":["a"]}', '10']);
  });

  it('receives a reset during a backfill, continues with new events, and receives the state again', async () => {
    const hub = quietHub({
      channels: name => ({ compact: name === 'state', history: { events: 5 } }),
    });
    const publish = (from: number, to: number) => {
      for (const i of numbers(from, to)) {
        hub.publish('list', `l${i}`);
        hub.publish('state', `s${i}`, { key: i });
      }
    };
    publish(1, 5);
    const { stream, transport, data, lastId } = open(hub);
    stream.subscribe('other');
    await until(() => lastId() !== undefined);
    transport.isFull = true;
    stream.subscribe(['list', 'state'], { from: 'start' });
    await until(() => lastId()?.endsWith('~') === true);
    publish(6, 8);
    await wait(20);
    transport.drain();
    await until(() => data().includes('s8'));
    hub.publish('list', 'live');
    await until(() => data().includes('live'));
    expect(data()).toEqual([
      '{"reason":"slow","channels":["list","state"]}',
      ...['s4', 's5', 's6', 's7', 's8', 'live'],
    ]);
  });

  it('is disconnected with an id to resume from, even before its first event', async () => {
    const hub = quietHub({ channels: () => ({ overflow: 'disconnect', history: { events: 3 } }) });
    const position = await hub.position();
    const { stream, transport, lastId } = open(hub);
    transport.isFull = true;
    stream.subscribe('a');
    await until(() => transport.text !== '');
    for (let i = 1; i <= 9; i++) {
      hub.publish('a', i);
      await wait(1);
    }
    await wait(20);
    transport.drain();
    expect(await stream.closed).toBe('slow');
    expect(lastId()).toBe(position);
  });
});

it('a stream that has room again sends no marker ahead of the events that it is about to send', async () => {
  const hub = createHub({ heartbeat: 20 });
  const { stream, transport, data, lastId } = open(hub);
  stream.subscribe('a');
  await until(() => lastId() !== undefined);
  transport.isFull = true;
  for (let i = 1; i <= 3; i++) {
    hub.publish('a', i);
    await wait(10);
  }
  transport.drain();
  // The clock goes off before the next turn.
  for (const start = performance.now(); performance.now() - start < 60; );
  await until(() => data().length === 3);
  expect(data()).toEqual(['1', '2', '3']);
});

it('long deliveries yield to others, live or backfilled', async () => {
  const hub = quietHub();
  const all = Array.from({ length: 20 }, () => open(hub));
  for (const { stream } of all) stream.subscribe('a');
  await until(() => all.every(({ lastId }) => lastId() !== undefined));
  let written = 0;
  for (const { transport } of all) {
    const write = transport.write.bind(transport);
    transport.write = frame => {
      written += 1;
      for (const start = performance.now(); performance.now() - start < 5; );
      return write(frame);
    };
  }
  const turnsUntil = async (total: number) => {
    let turns = 0;
    for (; written < total && turns < 1_000; turns++) await turn();
    return turns;
  };
  for (const { transport } of all) transport.isFull = true;
  hub.publish('a', 1);
  expect(await turnsUntil(20)).toBeGreaterThan(10);
  await hub.publish('a', 2);
  await wait(20);
  for (const { transport } of all) transport.drain();
  expect(written).toBe(20);
  expect(await turnsUntil(40)).toBeGreaterThan(10);
});

it('the delay of a transport counts against the time budget', async () => {
  const hub = quietHub();
  const all = Array.from({ length: 600 }, () => open(hub));
  for (const { stream } of all) stream.subscribe('a');
  await until(() => all.every(({ lastId }) => lastId() !== undefined));
  let written = 0;
  for (const { transport } of all) {
    transport.write = () => {
      process.nextTick(() => {
        written += 1;
        for (const start = performance.now(); performance.now() - start < 0.2; );
      });
      return true;
    };
  }
  let turns = 0;
  for (const round of [1, 2]) {
    hub.publish('a', round);
    for (turns = 0; written < round * all.length && turns < 1_000; turns++) await turn();
  }
  // The first has shown how long it takes.
  expect(turns).toBeGreaterThan(10);
});

it('events that are published during a round reach all streams', async () => {
  const hub = quietHub({ channels: () => ({ compact: true }) });
  const first = open(hub);
  first.stream.subscribe('a', { from: 'now' });
  const second = open(hub);
  second.stream.subscribe('a', {
    from: 'now',
    filter({ data }) {
      if (data === 1) for (let i = 2; i <= 100; i++) hub.publish('a', i, { key: 'k' });
      return true;
    },
  });
  await until(() => first.lastId() !== undefined && second.lastId() !== undefined);
  hub.publish('a', 1, { key: 'k' });
  await until(() => first.data().includes('100') && second.data().includes('100'));
  expect(first.data()).toEqual(numbers(1, 100));
  expect(second.data()).toEqual(numbers(1, 100));
});

it('the bound of all histories waits for live streams, and older clients receive a reset', async () => {
  const hub = quietHub({
    channels: name => ({ compact: name === 'state', history: { events: 1e6, bytes: 1e9 } }),
  });
  const text = 'x'.repeat(MIB);
  const early = await hub.position();
  await hub.publish('news', 0);
  for (let i = 0; i < 60; i++) {
    await hub.publish('state', text, { key: String(i) });
    await wait(0);
  }
  const { stream, data, lastId } = open(hub);
  stream.subscribe('news');
  await until(() => lastId() !== undefined);
  for (let i = 1; i <= 12; i++) hub.publish('news', `${i} ${text}`);
  await until(() => data().at(-1)?.startsWith('12 ') === true);
  expect(data().map(each => each?.split(' ')[0])).toEqual(numbers(1, 12));
  const back = open(hub, early);
  back.stream.subscribe('news');
  await until(() => back.lastId() !== undefined);
  expect(back.transport.text).toContain('event: reset');
});

describe('entries that are retained for a stream that waits for a snapshot', () => {
  let give = (_state: string) => {};
  const snapshot = () => new Promise(resolve => (give = resolve));

  it('are trimmed when the snapshot was sent', async () => {
    const hub = quietHub({ channels: () => ({ history: { events: 3 }, snapshot }) });
    const waiting = open(hub);
    waiting.stream.subscribe('a');
    await until(() => waiting.lastId() !== undefined);
    for (let i = 1; i <= 9; i++) await hub.publish('a', i);
    await wait(20);
    give('state');
    await until(() => waiting.data().includes('9'));
    await hub.publish('a', 10);
    await wait(20);
    const late = open(hub);
    late.stream.subscribe('a', { from: 'start' });
    await until(() => late.data().includes('10'));
    expect(waiting.data()).toEqual(['state', ...numbers(1, 10)]);
    expect(late.data()).toEqual(numbers(8, 10));
  });

  it('are at most 16 MiB: above that the stream ends', async () => {
    const hub = quietHub({ onError: () => {}, channels: () => ({ history: { events: 1 }, snapshot }) });
    const { stream, lastId } = open(hub);
    stream.subscribe('a');
    await until(() => lastId() !== undefined);
    for (let i = 0; i < 20; i++) {
      await hub.publish('a', 'x'.repeat(MIB));
      await wait(0);
    }
    expect(hub.stats().historyBytes).toBeLessThan(18 * MIB);
    give('state');
    expect(await stream.closed).toBe('error');
  });
});

it.each<[string, SubscribeOptions]>([
  ['its filter lets nothing through', { filter: () => false }],
  ['nothing was for it', {}],
])('a client is told not to come back when all has ended, and %s', async (_, options) => {
  const hub = quietHub();
  const id = await hub.position();
  hub.publish('a', 1, { except: 'ann' });
  hub.channel('a').end();
  const { stream, transport } = open(hub, id, { client: 'ann' });
  stream.subscribe('a', options);
  await until(() => transport.status !== undefined);
  expect(transport.status).toBe(204);
});

it('a client with the end id of an earlier epoch receives the retained events', async () => {
  const hub = quietHub();
  hub.publish('a', 1);
  hub.channel('a').end();
  const { stream, transport, data } = open(hub, 'abc-99.');
  stream.subscribe('a');
  await until(() => data().includes('1'));
  expect(transport.status).toBe(200);
  expect(data()).toEqual(['{"reason":"unknown","channels":["a"]}', '1']);
});

it('a client with an unknown id has the position of its last subscription', async () => {
  const hub = quietHub();
  for (const channel of ['a', 'a', 'b', 'b', 'c']) hub.publish(channel, 1);
  const { stream, transport } = open(hub, 'abc-1');
  stream.subscribe('a', { from: 'start' });
  stream.subscribe('b', { from: { last: 1 } });
  await until(() => transport.text.includes('id: '));
  expect(transport.text).toMatch(/event: reset\ndata: .+\nid: \w+-3~\n/);
});

it('a stream that has unsubscribed all channels is at the head when it subscribes again', async () => {
  const hub = quietHub({ channels: () => ({ snapshot: () => 'state' }) });
  const { stream, data, lastId } = open(hub);
  stream.subscribe('a');
  await until(() => data().length === 1);
  stream.unsubscribe('a');
  await wait(20);
  hub.publish('b', 1);
  stream.subscribe('b');
  await until(() => data().length === 2 && lastId()?.endsWith('~') === false);
  expect(lastId()).toBe(await hub.position());
});

it('a slow stream whose state was evicted closes, and its client receives the rest from the broker', async () => {
  const channels = () => ({ compact: true, history: { bytes: 80 * MIB } });
  const { hub, other } = unreliableHub({ channels }, { channels });
  const keys = ['a', 'b', 'c'];
  for (const key of keys) await other.publish('state', `${key} old`, { key });
  const { stream, transport, data, lastId } = await follow(hub, 'state');
  await until(() => data().includes('c old') && !lastId()?.endsWith('~'));
  transport.isFull = true;
  const others = await follow(hub, 'large');
  others.transport.write = () => true;
  for (const key of keys) await other.publish('state', `${key} new`, { key });
  for (let i = 0; i < 70; i++) await other.publish('large', 'x'.repeat(MIB), { key: String(i) });
  await until(() => hub.stats().historyBytes < 65 * MIB);
  transport.drain();
  expect(await Promise.race([stream.closed, wait(10_000)])).toBe('slow');
  const back = open(hub, lastId());
  back.stream.subscribe('state');
  await until(() => back.data().includes('c new'));
  expect([...data(), ...back.data()]).toEqual([
    ...keys.map(key => `${key} old`),
    ...keys.map(key => `${key} new`),
  ]);
});

describe('a stream that needs more than 64 MiB', () => {
  it('receives everything after one read of the broker, and the histories are evicted afterwards', async () => {
    const { hub, other, faulty } = unreliableHub();
    const names = Array.from({ length: 70 }, (_, i) => `channel ${i}`);
    await follow(hub, 'small');
    const id = await hub.position();
    for (const name of names) {
      for (let i = 0; i < 4; i++) await other.publish(name, 'x'.repeat(MIB / 4 - 200));
    }
    /** Returns the number of events that a stream receives. */
    const receive = async (channels: string[]) => {
      const { stream, transport } = open(hub, id);
      let events = 0;
      transport.write = frame => {
        events += frame.events;
        return true;
      };
      stream.subscribe(channels);
      await until(() => events >= channels.length * 4);
      return events;
    };
    // These stay in memory.
    expect(await receive(names.slice(0, 35))).toBe(140);
    const before = faulty.calls.length;
    expect(await receive(names)).toBe(280);
    expect(faulty.calls.slice(before)).toEqual(['open']);
    await until(() => hub.stats().historyBytes <= 64 * MIB);
  });
});
