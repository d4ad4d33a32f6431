import { type BrokerCall, createHub, type Hub, type HubOptions, type LeaseChange } from '@tidings/core';
import { afterEach, expect, it } from 'vitest';
import { createLocalLease } from '../../packages/core/src/hub/presence/leases.ts';
import { FaultyBroker, MemoryLog } from '../support/memory-broker.ts';
import { open, until } from '../support/memory-stream.ts';

let hub: Hub;
afterEach(() => hub.close());

function withBroker(options: HubOptions = {}) {
  const faulty = new FaultyBroker(new MemoryLog().broker());
  const calls: BrokerCall[] = [];
  hub = createHub({
    broker: faulty.broker,
    heartbeat: false,
    onError: () => {},
    observer: { brokerCalled: call => calls.push(call) },
    ...options,
  });
  return { faulty, calls };
}

it('counts the calls of a broker, and the errors by their code', async () => {
  const { faulty, calls } = withBroker();
  await hub.publish('a', 1);
  faulty.fail('publish', 1);
  await expect(hub.publish('a', 2)).rejects.toThrow();
  const { broker, publishErrors } = hub.stats();
  expect(calls.map(({ call }) => call)).toEqual(expect.arrayContaining(['start', 'publish']));
  expect(broker?.calls).toBe(calls.length);
  expect(calls.filter(({ error }) => error !== undefined)).toHaveLength(1);
  expect(Object.values(broker?.callErrors ?? {})).toEqual([1]);
  expect(Object.values(publishErrors)).toEqual([1]);
});

it('counts the calls of presence and of channels', async () => {
  const lease = createLocalLease();
  const broker = Object.assign(new MemoryLog().broker(), {
    lease: (_set: string, change: LeaseChange) => lease(change),
  });
  const { calls } = withBroker({ broker, presence: { channel: 'people' } });
  await hub.channel('a').state();
  open(hub, undefined, { client: 'ann' });
  const counted = (name: BrokerCall['call']) => calls.filter(({ call }) => call === name).length;
  await until(() => counted('lease') > 0);
  expect(counted('state')).toBe(1);
});

it('counts the events that wait for a broker', async () => {
  const { faulty } = withBroker();
  await hub.ready();
  faulty.hold();
  const first = hub.publish('a', 0);
  await faulty.holding();
  const published = [1, 2].map(data => hub.publish('a', data));
  expect(hub.stats().broker).toMatchObject({ queued: 2 });
  expect(hub.stats().broker?.queuedBytes).toBeGreaterThan(0);
  faulty.release();
  await Promise.all([first, ...published]);
  expect(hub.stats().broker).toMatchObject({ queued: 0, queuedBytes: 0 });
});

it('measures the arrival time of events in the process where they arrive', async () => {
  withBroker();
  await hub.publish('a', 1);
  expect(hub.stats().broker?.arrival).toBeUndefined();
  const { stream, lastId } = open(hub);
  stream.subscribe('a');
  await until(() => lastId() !== undefined);
  await hub.publish('a', 2);
  await until(() => hub.stats().broker?.arrival !== undefined);
  expect(hub.stats().broker?.arrival).toBeGreaterThanOrEqual(0);
});

it('counts reconnects', async () => {
  const { faulty } = withBroker();
  await hub.ready();
  faulty.sink?.connection(true);
  expect(hub.stats().broker).toMatchObject({ connected: true, reconnects: 0 });
  faulty.sink?.connection(false, new Error('gone'));
  faulty.sink?.connection(true);
  expect(hub.stats().broker).toMatchObject({ connected: true, reconnects: 1 });
});
