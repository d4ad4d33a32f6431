import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createHub, TidingsError } from '@tidings/core';
import { expect, it } from 'vitest';
import { until, wait } from '../support/memory-stream.ts';
import { SharedLog, VirtualBroker } from './shared-log.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

it('keeps nothing of clients that disconnected before the broker started', async () => {
  const broker = new VirtualBroker(new SharedLog());
  broker.start = () => new Promise(() => {});
  const hub = createHub({ broker, publishTimeout: 5, onError: () => {} });
  const publish = async (count: number) => {
    for (let index = 0; index < count; index++) {
      hub.publish('x', index).catch(() => {});
      await wait(1);
    }
    await wait(20);
  };
  await publish(200);
  const before = heap();
  await publish(2_000);
  expect(heap() - before).toBeLessThan(1_000_000);
});

it('leaves no timer when it is closed between two attempts to start', async () => {
  const timers = () => process.getActiveResourcesInfo().filter(type => type === 'Timeout').length;
  const before = timers();
  const broker = new VirtualBroker(new SharedLog());
  broker.start = async () => {
    throw new Error('not there');
  };
  let failures = 0;
  const onError = (_: unknown, { stage }: { stage: string }) => void (stage === 'broker' && failures++);
  const hub = createHub({ broker, publishTimeout: 5, onError });
  hub.publish('x', 1).catch(() => {});
  await until(() => failures === 1);
  await hub.close({ within: 0 });
  await wait(20);
  expect(timers()).toBe(before);
  expect(failures).toBe(1);
});

it('does not retry calls that fail because it was closed', async () => {
  const broker = new VirtualBroker(new SharedLog());
  let fail: (error: Error) => void = () => {};
  broker.start = () =>
    new Promise((_, reject) => {
      fail = reject;
    });
  broker.close = async () => fail(new Error('closed'));
  const errors: unknown[] = [];
  const hub = createHub({ broker, publishTimeout: 5, onError: error => void errors.push(error) });
  await hub.publish('x', 1).catch(() => {});
  errors.length = 0;
  await hub.close({ within: 0 });
  await wait(20);
  expect(errors).toEqual([]);
});

it('does not end the process when a control message cannot be stored and is not awaited', async () => {
  const broker = new VirtualBroker(new SharedLog());
  broker.publish = async () => {
    throw new TidingsError('broker', 'away');
  };
  const hub = createHub({ broker, onError: () => {} });
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown) => void unhandled.push(error);
  process.on('unhandledRejection', onUnhandled);
  void hub.clients.disconnect('ann');
  await wait(20);
  process.off('unhandledRejection', onUnhandled);
  expect(unhandled).toEqual([]);
  await expect(hub.clients.disconnect('ann')).rejects.toMatchObject({ code: 'broker' });
  await hub.close({ within: 0 });
});
