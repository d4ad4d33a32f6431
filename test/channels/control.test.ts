import { setImmediate as turn } from 'node:timers/promises';
import { createHub, type Hub, type Sink } from '@tidings/core';
import { afterEach, describe, expect, it } from 'vitest';
import { FaultyBroker, MemoryLog } from '../support/memory-broker.ts';
import { open, until } from '../support/memory-stream.ts';

const hubs: Hub[] = [];
afterEach(() => Promise.all(hubs.splice(0).map(hub => hub.close({ within: 0 }))));

function hubOf(options: Parameters<typeof createHub>[0] = {}): Hub {
  const hub = createHub({ heartbeat: false, onError: () => {}, ...options });
  hubs.push(hub);
  return hub;
}

/** Two processes that share a log, or one hub as both. */
const setups = {
  'in one process': () => {
    const hub = hubOf();
    return [hub, hub] as const;
  },
  'in two processes': () => {
    const log = new MemoryLog();
    return [hubOf({ broker: log.broker() }), hubOf({ broker: log.broker() })] as const;
  },
};

const of = (client: string) => ({ client });
type Opened = ReturnType<typeof open>;
const has = (stream: Opened, data: string) => until(() => stream.data().includes(data));

describe.each(Object.entries(setups))('control messages %s', (_, setUp) => {
  it('subscribe the streams of a client to later events', async () => {
    const [a, b] = setUp();
    const [ann, bob] = [open(b, undefined, of('ann')), open(b, undefined, of('bob'))];
    for (const { stream } of [ann, bob]) stream.subscribe('all');
    await a.publish('all', 'start');
    await Promise.all([has(ann, 'start'), has(bob, 'start')]);
    await a.publish('room', 'before');
    await a.clients.subscribe('ann', 'room');
    await a.publish('room', 'one');
    await a.publish('all', 'end');
    await Promise.all([has(ann, 'end'), has(bob, 'end')]);
    expect(ann.data()).toEqual(['start', 'one', 'end']);
    expect(bob.data()).toEqual(['start', 'end']);
  });

  it('unsubscribe one stream, by its id, from later events', async () => {
    const [a, b] = setUp();
    const [one, other] = [open(b, undefined, of('ann')), open(b, undefined, of('ann'))];
    for (const { stream } of [one, other]) stream.subscribe(['all', 'room']);
    await a.publish('room', 'before');
    await Promise.all([has(one, 'before'), has(other, 'before')]);
    await a.publish('room', 'just before');
    await a.clients.unsubscribe(one.stream.id, ['room', 'unknown']);
    await a.publish('room', 'after');
    await a.publish('all', 'end');
    await Promise.all([has(one, 'end'), has(other, 'end')]);
    expect(one.data()).toEqual(['before', 'just before', 'end']);
    expect(other.data()).toEqual(['before', 'just before', 'after', 'end']);
  });

  it('disconnect one stream, and the streams of a client', async () => {
    const [a, b] = setUp();
    const streams = ['ann', 'ann', 'bob'].map(client => open(b, undefined, of(client)));
    for (const { stream } of streams) stream.subscribe('room');
    await a.publish('room', 'start');
    await Promise.all(streams.map(each => has(each, 'start')));
    const [one, other, bob] = streams as [Opened, Opened, Opened];
    await a.clients.disconnect(one.stream);
    expect(await one.stream.closed).toBe('closed');
    expect(other.stream.signal.aborted).toBe(false);
    await a.clients.disconnect('ann');
    expect(await other.stream.closed).toBe('closed');
    await a.publish('room', 'end');
    await has(bob, 'end');
    expect(one.data()).toEqual(['start']);
    expect(other.data()).toEqual(['start']);
  });

  it('apply in order on a client that does not read', async () => {
    const [a, b] = setUp();
    const ann = open(b, undefined, of('ann'));
    ann.stream.subscribe('all');
    await a.publish('all', 'start');
    await has(ann, 'start');
    ann.transport.isFull = true;
    await a.publish('all', 'x'.repeat(100));
    await until(() => ann.stream.bufferedBytes > 0);
    for (let round = 0; round < 3; round++) {
      await a.publish('room', `out ${round}`);
      await a.clients.subscribe('ann', 'room');
      await a.publish('room', `in ${round}`);
      await a.publish('all', `all ${round}`);
      await a.clients.unsubscribe('ann', 'room');
    }
    await a.publish('room', 'out');
    await a.publish('all', 'end');
    await turn();
    ann.transport.drain();
    await has(ann, 'end');
    const expected = [0, 1, 2].flatMap(round => [`in ${round}`, `all ${round}`]);
    expect(ann.data().slice(2)).toEqual([...expected, 'end']);
  });

  it('subscribe a stream that has no subscriptions', async () => {
    const [a, b] = setUp();
    const ann = open(b, undefined, of('ann'));
    await b.ready();
    await a.clients.subscribe('ann', 'room');
    await a.publish('room', 'one');
    await has(ann, 'one');
  });

  it('subscribe a stream that has no subscriptions any more as of their position', async () => {
    const [a, b] = setUp();
    const ann = open(b, undefined, of('ann'));
    ann.stream.subscribe('all');
    await a.publish('all', 'start');
    await has(ann, 'start');
    ann.stream.unsubscribe('all');
    const [, id] = await Promise.all([a.clients.subscribe('ann', 'room'), a.publish('room', 'one')]);
    await has(ann, 'one');
    expect(ann.lastId()).toBe(id);
    expect(ann.transport.text).not.toContain('~');
  });

  it('do not prevent a later subscribe in the handler from resuming', async () => {
    const [a, b] = setUp();
    const id = await a.publish('all', 'seen');
    await a.publish('all', 'missed');
    await b.ready();
    const ann = open(b, id, of('ann'));
    await a.clients.subscribe('ann', 'room');
    await a.publish('room', 'one');
    await has(ann, 'one');
    ann.stream.subscribe('all');
    await a.publish('all', 'end');
    await has(ann, 'end');
    expect(ann.data()).toEqual(['one', 'missed', 'end']);
  });

  it('begin with the state of a channel, or at `from`', async () => {
    const [a, b] = setUp();
    for (const hub of new Set([a, b])) {
      hub.channel('state', { snapshot: () => 'now' });
    }
    const ann = open(b, undefined, of('ann'));
    ann.stream.subscribe('all');
    for (const data of ['one', 'two', 'three']) await a.publish('room', data);
    await a.publish('all', 'start');
    await has(ann, 'start');
    await a.clients.subscribe('ann', 'state');
    await has(ann, 'now');
    await a.clients.subscribe('ann', 'room', { from: { last: 2 } });
    await has(ann, 'three');
    expect(ann.data()).toEqual(['start', 'now', 'two', 'three']);
  });

  it('do not need the state of a channel that is unsubscribed again', async () => {
    const [a, b] = setUp();
    let calls = 0;
    for (const hub of new Set([a, b])) {
      hub.channel('state', {
        snapshot: () => {
          calls += 1;
          return new Promise(() => {});
        },
      });
    }
    const ann = open(b, undefined, of('ann'));
    ann.stream.subscribe(['all', 'state']);
    await until(() => calls > 0);
    await a.clients.unsubscribe('ann', 'state');
    await a.publish('all', 'one');
    await has(ann, 'one');
  });

  it('refuse options that cannot be sent, and values that do not identify streams', async () => {
    const [a] = setUp();
    const filter = () => true;
    expect(() => a.clients.subscribe('ann', 'room', { filter } as object)).toThrow(/filter must be left out/);
    expect(() => a.clients.subscribe('ann', 'room', { from: 'never' as 'now' })).toThrow(/from must be/);
    expect(() => a.clients.subscribe('ann', '')).toThrow(/a channel must be a name/);
    expect(() => a.clients.unsubscribe({} as never, 'room')).toThrow(/who must be a client/);
  });

  it('report the error of the application for a channel, and leave the stream open', async () => {
    const errors: unknown[] = [];
    const failure = new Error('no such room');
    const log = new MemoryLog();
    const hub = hubOf({
      broker: log.broker(),
      onError: error => errors.push(error),
      channels: name => {
        if (name === 'bad') throw failure;
        return undefined;
      },
    });
    const ann = open(hub, undefined, of('ann'));
    ann.stream.subscribe('all');
    await hub.publish('all', 'start');
    await has(ann, 'start');
    await hub.clients.subscribe('ann', 'bad');
    await hub.publish('all', 'end');
    await has(ann, 'end');
    expect(errors).toContain(failure);
  });
});

describe('a stream that may not have been open at the position of a message', () => {
  it('ends if the message would change it, and no other stream ends', async () => {
    const log = new MemoryLog();
    const a = hubOf({ broker: log.broker() });
    await a.clients.unsubscribe('ann', 'room');
    await a.clients.subscribe('ann', 'all');
    const faulty = new FaultyBroker(log.broker());
    faulty.hold();
    const b = hubOf({ broker: faulty.broker });
    const [ann, other, bob] = [
      open(b, undefined, of('ann')),
      open(b, undefined, of('ann')),
      open(b, undefined, of('bob')),
    ];
    ann.stream.subscribe(['all', 'room']);
    other.stream.subscribe(['all', 'other']);
    bob.stream.subscribe('room');
    await faulty.holding();
    faulty.release();
    expect(await ann.stream.closed).toBe('closed');
    await a.publish('all', 'end');
    await a.publish('room', 'end');
    await Promise.all([has(other, 'end'), has(bob, 'end')]);
    expect(ann.transport.text).toMatch(/retry: \d+/);
  });

  it('ignores a message that is older than the stream', async () => {
    const log = new MemoryLog();
    const [a, b] = [hubOf({ broker: log.broker() }), hubOf({ broker: log.broker() })];
    await a.clients.unsubscribe('ann', 'room');
    await b.ready();
    const ann = open(b, undefined, of('ann'));
    ann.stream.subscribe('room');
    await a.publish('room', 'one');
    await has(ann, 'one');
  });
});

it('a control message that arrives while the messages are read again is applied once', async () => {
  const log = new MemoryLog();
  const inner = log.broker();
  let sink: Sink | undefined;
  let gate: Promise<void> | undefined;
  const asked: string[] = [];
  const hub = hubOf({
    broker: {
      ...inner,
      start: given => {
        sink = given;
        return inner.start(given);
      },
      open: async wants => {
        await gate;
        return inner.open(wants);
      },
    },
    authorize: (_, { phase }) => {
      asked.push(phase);
      return true;
    },
    recheck: false,
  });
  const other = hubOf({ broker: log.broker() });
  const first = open(hub);
  first.stream.subscribe('all');
  await until(() => first.lastId() !== undefined);
  let openGate = () => {};
  gate = new Promise(resolve => {
    openGate = resolve;
  });
  sink?.lost(['\0control']);
  const ann = open(hub, undefined, of('ann'));
  ann.stream.subscribe('room');
  await until(() => asked.length === 2);
  await other.clients.recheck('ann');
  await until(() => asked.length === 3);
  openGate();
  await until(() => ann.lastId() !== undefined);
  for (let turns = 0; turns < 20; turns++) await turn();
  expect(asked).toEqual(['subscribe', 'subscribe', 'recheck']);
});
