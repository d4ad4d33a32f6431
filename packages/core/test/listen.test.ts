import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/client.ts';
import { FaultyBroker, MemoryLog } from '../../../test/support/memory-broker.ts';
import { createHub } from '../src/hub/create-hub.ts';
import type { HubOptions } from '../src/hub/options/options.ts';
import { MemoryTransport } from './memory-transport.ts';

function start(options: HubOptions = {}) {
  const errors: [stage: string, error: unknown][] = [];
  const onError: HubOptions['onError'] = (error, { stage }) => errors.push([stage, error]);
  return { hub: createHub({ heartbeat: false, onError, ...options }), errors };
}

/** Collects the data of events, and what is lost. */
function collect() {
  const list: unknown[] = [];
  return {
    list,
    listener: ({ data }: { data: unknown }) => void list.push(data),
    onReset: ({ reason, channels }: { reason: string; channels: string[] }) => {
      list.push(`${reason} ${channels}`);
    },
  };
}

const shared = () => {
  const log = new MemoryLog();
  return { options: (): HubOptions => ({ broker: log.broker() }) };
};

describe.each([
  ['without a broker', () => ({ options: (): HubOptions => ({}) })],
  ['with a broker', shared],
])('hub.listen() %s', (_, setUp) => {
  it('receives the events that are published after the call, as they were published', async () => {
    const { hub } = start(setUp().options());
    await hub.publish('jobs', 'before');
    const events: unknown[] = [];
    await hub.listen(['jobs', 'users'], event => void events.push(event)).ready;
    const ids = [
      await hub.publish('jobs', { id: 7, at: new Date(0) }, { event: 'done', key: 'a' }),
      await hub.publish('other', 'not followed'),
      await hub.publish('users', '{"is":"text"}'),
      await hub.publish('users', null, { key: 'k', gone: true }),
    ];
    await eventually(() => events.length === 3);
    const at = '1970-01-01T00:00:00.000Z';
    expect(events).toEqual([
      { id: ids[0], channel: 'jobs', event: 'done', key: 'a', gone: false, data: { id: 7, at } },
      { id: ids[2], channel: 'users', event: undefined, key: '', gone: false, data: '{"is":"text"}' },
      { id: ids[3], channel: 'users', event: undefined, key: 'k', gone: true, data: null },
    ]);
  });

  it('begins at `from`, and applies `filter`', async () => {
    const { hub } = start(setUp().options());
    const ids = [];
    for (let number = 0; number < 5; number++) ids.push(await hub.publish('x', { number }));
    const { list, listener } = collect();
    hub.listen('x', listener, {
      from: { after: ids[1] as string },
      filter: ({ data }) => (data as { number: number }).number !== 3,
    });
    await eventually(() => list.length === 2);
    expect(list).toEqual([{ number: 2 }, { number: 4 }]);
  });

  it('receives the state of channels first', async () => {
    const channels: HubOptions['channels'] = name =>
      name === 'compact' ? { compact: true } : { snapshot: () => ({ of: name }) };
    const { hub } = start({ channels, ...setUp().options() });
    for (const value of [1, 2, 3]) await hub.publish('compact', value, { key: `${value % 2}` });
    const { list, listener } = collect();
    await hub.listen(['compact', 'other'], listener).ready;
    await hub.publish('other', 'new');
    await eventually(() => list.length === 4);
    expect(list).toEqual([{ of: 'other' }, 2, 3, 'new']);
  });

  it('awaits a listener, and queues later events in order', async () => {
    const { hub } = start(setUp().options());
    const begun: unknown[] = [];
    let finish = () => {};
    await hub.listen('x', async ({ data }) => {
      begun.push(data);
      await new Promise<void>(resolve => {
        finish = resolve;
      });
    }).ready;
    for (const data of ['a', 'b', 'c']) await hub.publish('x', data);
    await eventually(() => begun.length === 1);
    for (let turns = 0; turns < 10; turns++) await turn();
    expect(begun).toEqual(['a']);
    for (const length of [2, 3]) {
      finish();
      await eventually(() => begun.length === length);
    }
    await hub.publish('x', 'd');
    finish();
    await eventually(() => begun.length === 4);
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
  });

  it('receives a reset when it was too slow, and continues', async () => {
    const channels = () => ({ history: { events: 3 }, overflow: 'disconnect' as const });
    const { hub } = start({ channels, ...setUp().options() });
    const { list, listener, onReset } = collect();
    let finish = () => {};
    const blocked = new Promise<void>(resolve => {
      finish = resolve;
    });
    await hub.listen(
      'x',
      event => {
        listener(event);
        return list.length === 1 ? blocked : undefined;
      },
      { onReset },
    ).ready;
    for (let number = 0; number < 20; number++) {
      await hub.publish('x', number);
      await turn();
    }
    finish();
    await eventually(() => list.length > 1);
    await hub.publish('x', 'after');
    await eventually(() => list.at(-1) === 'after');
    expect(list).toEqual([0, 'slow x', 'after']);
  });

  it('reports the error of a listener that throws or rejects, and continues', async () => {
    const { hub, errors } = start(setUp().options());
    const { list, listener } = collect();
    await hub.listen('x', event => {
      listener(event);
      if (event.data === 'throw') throw new Error('thrown');
      if (event.data === 'reject') return Promise.reject(new Error('rejected'));
      return undefined;
    }).ready;
    for (const data of ['throw', 'reject', 'last']) await hub.publish('x', data);
    await eventually(() => list.length === 3);
    expect(errors).toEqual([
      ['listen', new Error('thrown')],
      ['listen', new Error('rejected')],
    ]);
  });

  it('ends with its channels, by its signal, by close(), and with the hub', async () => {
    const { hub } = start(setUp().options());
    const { list, listener } = collect();
    const controller = new AbortController();
    const ended = hub.listen('x', listener);
    const aborted = hub.listen('y', listener, { signal: controller.signal });
    const closed = hub.listen('y', listener);
    const last = hub.listen('y', listener);
    await Promise.all([ended, aborted, closed, last].map(({ ready }) => ready));
    await hub.publish('x', 'x');
    await hub.channel('x').end();
    expect(await ended.closed).toBe('ended');
    expect(list).toEqual(['x']);
    controller.abort();
    closed.close();
    closed.close();
    await hub.publish('y', 'y');
    expect(await Promise.all([aborted.closed, closed.closed])).toEqual(['closed', 'closed']);
    await hub.close();
    expect(await last.closed).toBe('closed');
    expect(list).toEqual(['x', 'y']);
    expect(() => hub.listen('y', listener)).toThrow(expect.objectContaining({ code: 'closed' }));
  });

  it('is neither a stream nor a subscriber', async () => {
    const { hub } = start(setUp().options());
    const listening = hub.listen('x', () => {});
    await listening.ready;
    expect(hub.channel('x').subscriberCount).toBe(0);
    const transport = new MemoryTransport();
    hub.open(transport, { method: 'GET', url: '/' }).subscribe('x');
    await eventually(() => transport.text !== '');
    expect(hub.channel('x').subscriberCount).toBe(1);
    expect(hub.stats()).toMatchObject({ streams: 1, opened: 1 });
    listening.close();
    expect(hub.channel('x').subscriberCount).toBe(1);
  });
});

describe('hub.listen()', () => {
  it('receives the events of another process, once it is ready', async () => {
    const log = new MemoryLog();
    const [a, b] = [start({ broker: log.broker() }).hub, start({ broker: log.broker() }).hub];
    const { list, listener } = collect();
    await a.listen('x', listener).ready;
    await b.publish('x', 'from b');
    await eventually(() => list.length === 1);
    expect(list).toEqual(['from b']);
  });

  it('receives a reset for the events that the broker has lost', async () => {
    const faulty = new FaultyBroker(new MemoryLog().broker());
    const { hub } = start({ broker: faulty.broker });
    const { list, listener, onReset } = collect();
    await hub.listen('x', listener, { onReset }).ready;
    faulty.sink?.lost(['x']);
    await eventually(() => list.length === 1);
    faulty.sink?.restarted('another', 0);
    await eventually(() => list.length === 2);
    expect(list).toEqual(['history x', 'unknown x']);
  });

  it('closes when a snapshot fails, which is reported', async () => {
    const { hub, errors } = start({
      channels: () => ({
        snapshot() {
          throw new Error('no state');
        },
      }),
    });
    expect(await hub.listen('x', () => {}).closed).toBe('error');
    expect(errors).toEqual([['listen', new Error('no state')]]);
  });

  it('does not block the event loop while a listener receives many events', async () => {
    const { hub } = start({ history: { events: 1_000 } });
    for (let number = 0; number < 200; number++) void hub.publish('x', number);
    let received = 0;
    hub.listen(
      'x',
      () => {
        received += 1;
        for (const until = performance.now() + 1; performance.now() < until; );
      },
      { from: 'start' },
    );
    let turns = 0;
    while (received < 200) {
      await turn();
      turns += 1;
    }
    expect(turns).toBeGreaterThan(20);
  });

  it.each([
    ['listener', 'x', 'no function', {}],
    ['channel', '', () => {}, {}],
    ['from', 'x', () => {}, { from: 'yesterday' }],
    ['filter', 'x', () => {}, { filter: 7 }],
    ['signal', 'x', () => {}, { signal: 'abort' }],
    ['onReset', 'x', () => {}, { onReset: true }],
  ])('refuses invalid options: %s', (name, channel, listener, options) => {
    const { hub } = start();
    // @ts-expect-error none of them is typed
    const call = () => hub.listen(channel, listener, options);
    expect(call).toThrow(expect.objectContaining({ code: 'invalid-option' }));
    expect(call).toThrow(name);
  });
});
