import { type Broker, createHub, type Draft, type Hub } from '@tidings/core';
import { afterEach, expect, it } from 'vitest';
import { MemoryLog } from '../support/memory-broker.ts';

const hubs: Hub[] = [];
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.close({ within: 0 });
});

/** A hub whose broker has started, and the drafts of each call of `publish`. The first call waits for `release`. */
async function slowHub() {
  const calls: Draft[][] = [];
  let release = () => {};
  let onCalled = () => {};
  const first = new Promise<void>(resolve => {
    release = resolve;
  });
  const called = new Promise<void>(resolve => {
    onCalled = resolve;
  });
  const inner = new MemoryLog().broker();
  const broker: Broker = {
    ...inner,
    async publish(drafts, deadline) {
      calls.push([...drafts]);
      onCalled();
      if (calls.length === 1) await first;
      return inner.publish(drafts, deadline);
    },
  };
  const hub = createHub({ broker, onError: () => {} });
  hubs.push(hub);
  await hub.ready();
  const settled = [hub.publish('first', '')];
  await called;
  const publish = (channel: string, data: string) => settled.push(hub.publish(channel, data));
  return { calls, release, publish, settled };
}

it('publishes in the order of the calls, over all channels, within one call of the broker', async () => {
  const { calls, release, publish, settled } = await slowHub();
  const order = ['a', 'b', 'a', 'a', 'c', 'b'];
  for (const channel of order) publish(channel, '');
  release();
  await Promise.all(settled);
  expect(calls[1]?.map(({ channel }) => channel)).toEqual(order);
});

it('does not delay other channels because of a flood in one', async () => {
  const { calls, release, publish, settled } = await slowHub();
  const big = 'x'.repeat(60_000);
  for (let count = 0; count < 100; count++) publish('flood', `${count} ${big}`);
  publish('other', '1');
  publish('other', '2');
  release();
  await Promise.all(settled);
  expect(calls[1]?.filter(({ channel }) => channel === 'other').map(({ data }) => data)).toEqual(['1', '2']);
  // Its own order is preserved.
  const flood = calls.flat().filter(({ channel }) => channel === 'flood');
  expect(flood.map(({ data }) => Number.parseInt(data, 10))).toEqual(
    Array.from({ length: 100 }, (_, i) => i),
  );
});

it('alternates between channels when all of them have more than fits into one call', async () => {
  const { calls, release, publish, settled } = await slowHub();
  const big = 'x'.repeat(100_000);
  for (const channel of ['a', 'b', 'c', 'd']) for (let count = 0; count < 10; count++) publish(channel, big);
  release();
  await Promise.all(settled);
  const turns = calls
    .slice(1)
    .flat()
    .map(({ channel }) => channel);
  for (let turn = 0; turn < 40; turn += 4) {
    expect(turns.slice(turn, turn + 4).sort()).toEqual(['a', 'b', 'c', 'd']);
  }
  for (const call of calls) {
    expect(call.reduce((size, { data }) => size + data.length, 0)).toBeLessThanOrEqual(256 * 1024);
  }
});

it('refuses events above the bound of one channel, and accepts those of others', async () => {
  const { release, publish, settled } = await slowHub();
  const mebibyte = 'x'.repeat(1024 * 1024);
  for (let count = 0; count < 9; count++) publish('flood', mebibyte);
  publish('other', mebibyte);
  const refused = expect(settled[9]).rejects.toMatchObject({ code: 'not-stored', message: /queue is full/ });
  // 8 MiB with what each event takes beside its data.
  const also = expect(settled[8]).rejects.toMatchObject({ code: 'not-stored' });
  release();
  await Promise.all([refused, also, settled[10], ...settled.slice(0, 8)]);
});

it('stores an event that is published in any microtask after the one before was stored', async () => {
  const hub = createHub({ broker: new MemoryLog().broker() });
  for (let microtasks = 0; microtasks < 30; microtasks++) {
    await hub.publish('a', 1);
    for (let i = 0; i < microtasks; i++) await undefined;
    await hub.publish('a', 2);
  }
  await hub.close();
});
