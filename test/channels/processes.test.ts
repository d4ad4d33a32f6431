import { createHub, type Hub, type HubOptions, type ProcessStats } from '@tidings/core';
import { afterEach, expect, it, vi } from 'vitest';
import { FaultyBroker, MemoryLog } from '../support/memory-broker.ts';
import { open, until } from '../support/memory-stream.ts';

const hubs: Hub[] = [];
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(hubs.splice(0).map(hub => hub.close({ within: 0 })));
});

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

it('reports its own process immediately, and no other without a broker', async () => {
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

it('reports again in each interval, until it is stopped', async () => {
  vi.useFakeTimers();
  const hub = start();
  const { heard, stop } = observe(hub);
  await vi.advanceTimersByTimeAsync(13_500);
  expect(heard).toHaveLength(3);
  stop();
  stop();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(heard).toHaveLength(3);
});

it('sends one request for all observing processes, and recognises its own response', async () => {
  const log = new MemoryLog();
  const brokers = [1, 2].map(() => new FaultyBroker(log.broker()));
  const [one, two] = brokers.map(({ broker }) => start({ broker })) as [Hub, Hub];
  await Promise.all([one.ready(), two.ready()]);
  const first = observe(one);
  await until(() => first.others().length === 1);
  const published = () => brokers.map(({ calls }) => calls.filter(call => call === 'publish').length);
  expect(published()).toEqual([1, 1]);
  const second = observe(two);
  await until(() => second.others().length === 1);
  await one.publish('a', 1);
  expect(new Set(first.others().map(({ id }) => id)).size).toBe(1);
  expect(first.others()[0]?.id).not.toBe(first.heard[0]?.id);
  expect(published()).toEqual([3, 2]);
});

it('responds once when several processes ask', async () => {
  const log = new MemoryLog();
  const [one, two, three] = [1, 2, 3].map(() => start({ broker: log.broker() })) as [Hub, Hub, Hub];
  await Promise.all(hubs.map(hub => hub.ready()));
  open(three).stream.subscribe('a');
  const observers = [observe(one), observe(two)];
  await until(() => observers.every(({ others }) => others().length >= 2));
  await three.publish('a', 1);
  await two.position();
  const ofThree = ({ others }: ReturnType<typeof observe>) =>
    others().filter(({ stats }) => stats.streams === 1);
  expect(observers.map(ofThree).map(({ length }) => length)).toEqual([1, 1]);
});

it('hides its channel', async () => {
  const log = new MemoryLog();
  const hub = start({ broker: log.broker() });
  const other = start({ broker: log.broker() });
  await Promise.all([hub.ready(), other.ready()]);
  const { others } = observe(hub);
  await until(() => others().length === 1);
  expect(hub.channelNames()).toEqual([]);
  expect(hub.stats()).toMatchObject({ channels: 0, published: 0 });
  expect(other.stats()).toMatchObject({ channels: 0, published: 0 });
});

it('does not involve other processes once no process observes', async () => {
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

it('continues after a listener that throws, and an unreachable broker', async () => {
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
