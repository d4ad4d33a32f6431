import { describe, expect, it } from 'vitest';
import { nextIteration } from '../src/base/event-loop.ts';
import { Scheduler } from '../src/base/scheduler.ts';

import { DeliveryLoop } from '../src/delivery/delivery-loop.ts';
import { Log } from '../src/log/log.ts';

const settings = {
  events: 100,
  bytes: 1e6,
  age: 60_000,
  compact: false,
  overflow: 'reset' as const,
  snapshot: undefined,
  flushInterval: 0,
};

describe('the log', () => {
  it('evicts from the channel that was published to least recently', async () => {
    const log = new Log({
      settingsOf: () => settings,
      maxBytes: 1_000,
      isRemote: false,
      hasChannelField: false,
      scheduler: new Scheduler(1_000),
      onDropped: () => {},
    });
    new DeliveryLoop(log);
    const publish = async (channel: string) => {
      log.append({ channel, kind: 'event', json: false, data: 'x' });
      await new Promise<void>(resolve => nextIteration(resolve));
    };
    for (const channel of ['a', 'b', 'a', 'c']) await publish(channel);
    expect(['a', 'b', 'c'].map(name => log.channels.find(name)?.history.size)).toEqual([2, undefined, 1]);
  });

  it('delivers before the end of a flushInterval when the bound is reached', async () => {
    const log = new Log({
      settingsOf: () => ({ ...settings, flushInterval: 10_000 }),
      maxBytes: 1_000,
      isRemote: false,
      hasChannelField: false,
      scheduler: new Scheduler(1_000),
      onDropped: () => {},
    });
    new DeliveryLoop(log);
    const publish = async () => {
      log.append({ channel: 'a', kind: 'event', json: false, data: 'x' });
      await new Promise<void>(resolve => nextIteration(resolve));
    };
    for (let i = 0; i < 3; i++) await publish();
    expect(log.deliveredUpTo).toBe(0);
    await publish();
    expect(log.deliveredUpTo).toBe(4);
  });

  it('retains as many keys of a compacted channel as its limit when a dropped key is published again', async () => {
    const log = new Log({
      settingsOf: () => ({ ...settings, compact: true, events: 1 }),
      maxBytes: 1e6,
      isRemote: false,
      hasChannelField: false,
      scheduler: new Scheduler(1_000),
      onDropped: () => {},
    });
    new DeliveryLoop(log);
    for (const key of ['a', 'b', 'a']) {
      log.append({ channel: 'c', kind: 'event', key, json: false, data: 'x' });
      await new Promise<void>(resolve => nextIteration(resolve));
    }
    expect(log.channels.find('c')?.history.size).toBe(1);
  });
});
