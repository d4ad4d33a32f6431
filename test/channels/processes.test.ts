import { createHub, type Hub, type HubOptions, type ProcessStats } from '@tidings/core';
import { afterEach, expect, it } from 'vitest';
import { FaultyBroker, MemoryLog } from '../support/memory-broker.ts';
import { open, until } from '../support/memory-stream.ts';

const hubs: Hub[] = [];
afterEach(() => Promise.all(hubs.splice(0).map(hub => hub.close({ within: 0 }))));

function start(options: HubOptions = {}): Hub {
  const hub = createHub({ heartbeat: false, onError: () => {}, ...options });
  hubs.push(hub);
  return hub;
}

/** What a hub has heard, newest last. */
function observe(hub: Hub) {
  const heard: ProcessStats[] = [];
  const stop = hub.observeProcesses(process => heard.push(process));
  const others = () => heard.filter(({ isOwn }) => !isOwn);
  return { heard, others, stop };
}

it('reports its own process at once, and has no other without a broker', async () => {
  const hub = start();
  open(hub).stream.subscribe('a');
  const { heard } = observe(hub);
  expect(heard).toMatchObject([{ isOwn: true, pid: process.pid, stats: { streams: 1 } }]);
  expect(Math.abs(Date.now() - Number(heard[0]?.at))).toBeLessThan(60_000);
});

it('receives the stats of each other process once', async () => {
  const log = new MemoryLog();
  const [observer, ...others] = [1, 2, 3].map(() => start({ broker: log.broker() })) as [Hub, Hub, Hub];
  await Promise.all(hubs.map(hub => hub.ready()));
  for (const [index, hub] of others.entries()) {
    for (let i = 0; i <= index; i++) open(hub).stream.subscribe('a');
  }
  const own = observe(observer);
  await until(() => own.others().length === 2);
  expect(own.others().map(({ stats }) => stats.streams)).toEqual(expect.arrayContaining([1, 2]));
  expect(new Set(own.heard.map(({ id }) => id)).size).toBe(3);
  // One request, and one answer of each.
  expect(own.heard).toHaveLength(3);
});

it('hides its channel', async () => {
  const log = new MemoryLog();
  const dropped: string[] = [];
  const hub = start({ broker: log.broker(), observer: { dropped: name => dropped.push(name) } });
  const other = start({ broker: log.broker() });
  await Promise.all([hub.ready(), other.ready()]);
  const { others, stop } = observe(hub);
  await until(() => others().length === 1);
  expect(hub.channelNames()).toEqual([]);
  expect(hub.stats()).toMatchObject({ channels: 0, published: 0 });
  expect(other.stats()).toMatchObject({ channels: 0, published: 0 });
  stop();
  await hub.publish('a', 1);
  expect(hub.stats().dropped).toBe(0);
  expect(dropped).toEqual([]);
});

it('costs other processes nothing once nobody observes', async () => {
  const log = new MemoryLog();
  const hub = start({ broker: log.broker() });
  const answering = new FaultyBroker(log.broker());
  await start({ broker: answering.broker }).ready();
  const { others, stop } = observe(hub);
  await until(() => others().length === 1);
  stop();
  stop();
  const published = () => answering.calls.filter(call => call === 'publish').length;
  const before = published();
  await hub.publish('a', 1);
  expect(published()).toBe(before);
  expect(others()).toHaveLength(1);
});

it('survives what a listener throws, and a broker that is away', async () => {
  const errors: unknown[] = [];
  const faulty = new FaultyBroker(new MemoryLog().broker());
  const hub = start({ broker: faulty.broker, onError: (error, { stage }) => errors.push([stage, error]) });
  await hub.ready();
  faulty.goAway();
  const failure = new Error('of the listener');
  hub.observeProcesses(() => {
    throw failure;
  });
  expect(errors).toEqual([['listen', failure]]);
});

it('refuses to observe when the hub is closed, and stops when it closes', async () => {
  const hub = start();
  observe(hub);
  await hub.close();
  expect(() => hub.observeProcesses(() => {})).toThrow(expect.objectContaining({ code: 'closed' }));
});
