import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createHub } from '../src/hub/create-hub.ts';
import { MemoryTransport } from './memory-transport.ts';

const get = { method: 'GET', url: '/' };

/** The hub's calls, in order, streams by their client. */
function record(options: Parameters<typeof createHub>[0] = {}) {
  const calls: unknown[][] = [];
  const hub = createHub({
    heartbeat: false,
    ...options,
    observer: {
      opened: stream => calls.push(['opened', stream.client]),
      closed: (stream, reason) => calls.push(['closed', stream.client, reason]),
      refused: stream => calls.push(['refused', stream.client]),
      published: channel => calls.push(['published', channel]),
      delivered: (events, bytes) => calls.push(['delivered', events, bytes]),
      lagging: stream => calls.push(['lagging', stream.client]),
      reset: (stream, reason, channels) => calls.push(['reset', stream.client, reason, channels]),
      replayed: stream => calls.push(['replayed', stream.client]),
      dropped: channel => calls.push(['dropped', channel]),
    },
  });
  const open = (client: string, lastEventId?: string) => {
    const transport = new MemoryTransport();
    return { transport, stream: hub.open(transport, { ...get, lastEventId }, { client }) };
  };
  return { hub, calls, open };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

it('reports streams and events', async () => {
  const { hub, calls, open } = record();
  const { stream } = open('ann');
  stream.subscribe('a');
  await turns(6);
  for (const data of ['one', 'two']) hub.publish('a', data);
  await turns(3);
  stream.send('three');
  stream.close();
  expect(await stream.closed).toBe('closed');
  const delivered = calls.filter(([name]) => name === 'delivered');
  expect(delivered.map(([, events]) => events)).toEqual([0, 0, 2, 1]);
  expect(calls.filter(([name]) => name !== 'delivered')).toEqual([
    ['opened', 'ann'],
    ['published', 'a'],
    ['published', 'a'],
    ['closed', 'ann', 'closed'],
  ]);
  const stats = hub.stats();
  expect(stats).toMatchObject({
    streams: 0,
    clients: 0,
    channels: 1,
    opened: 1,
    closed: { closed: 1 },
    published: 2,
    delivered: 3,
    resets: 0,
  });
  expect(stats.deliveredBytes).toBe(delivered.reduce((sum, [, , bytes]) => sum + Number(bytes), 0));
  expect(stats.historyBytes).toBeGreaterThan(0);
});

it('reports clients that resume, and their resets', async () => {
  const { hub, calls, open } = record({ history: { events: 1 } });
  const id = await hub.publish('a', 1);
  const known = open('knows', id);
  known.stream.subscribe('a');
  const strange = open('strange', 'x');
  strange.stream.subscribe('a');
  await turns(6);
  hub.publish('a', 2);
  hub.publish('a', 3);
  await turns(3);
  const late = open('late', id);
  late.stream.subscribe('a');
  await turns(6);
  expect(calls.filter(([name]) => name === 'replayed' || name === 'reset')).toEqual([
    ['replayed', 'knows'],
    ['reset', 'strange', 'unknown', ['a']],
    ['replayed', 'late'],
    ['reset', 'late', 'history', ['a']],
  ]);
  expect(hub.stats()).toMatchObject({ replayed: 2, resets: 2, streams: 3, clients: 3 });
});

it('reports slow consumers, once each time', async () => {
  const { hub, calls, open } = record();
  const { stream, transport } = open('slow');
  await turns(3);
  transport.isFull = true;
  stream.send('one');
  stream.send('two');
  stream.send('three');
  expect(calls.filter(([name]) => name === 'lagging')).toEqual([['lagging', 'slow']]);
  expect(hub.stats().lagging).toBe(1);
  transport.drain();
  expect(hub.stats().lagging).toBe(0);
  transport.isFull = true;
  stream.send('four');
  expect(calls.filter(([name]) => name === 'lagging')).toHaveLength(2);
  stream.close();
});

it('reports refused streams and dropped channels', async () => {
  const { hub, calls, open } = record({ limits: { streams: 1 }, history: { age: 30 } });
  open('first').stream.subscribe('a').unsubscribe('a');
  open('second');
  await hub.publish('a', 1);
  for (let i = 0; i < 400 && hub.stats().channels > 0; i++) await wait(10);
  expect(calls.filter(([name]) => name === 'refused' || name === 'dropped')).toEqual([
    ['refused', 'second'],
    ['dropped', 'a'],
  ]);
});

it('reports the error of a callback that throws, and continues', async () => {
  const stages: string[] = [];
  const fail = () => {
    throw new Error('of the observer');
  };
  const hub = createHub({
    heartbeat: false,
    onError: (_, { stage }) => stages.push(stage),
    observer: { opened: fail, delivered: fail, closed: fail },
  });
  const transport = new MemoryTransport();
  const stream = hub.open(transport, get);
  await turns(3);
  stream.send('hello');
  stream.close();
  expect(await stream.closed).toBe('closed');
  expect(transport.text).toContain('data: hello');
  expect(stages).toEqual(['observer', 'observer', 'observer', 'observer']);
});

it('reports the end of a stream after removing it from the hub', () => {
  const there: boolean[] = [];
  const look = () => there.push(hub.streams.size > 0, hub.clients.has('ann'));
  const hub = createHub({ heartbeat: false, observer: { opened: look, closed: look } });
  const transport = new MemoryTransport();
  hub.open(transport, get, { client: 'ann' });
  transport.listener?.closed();
  expect(there).toEqual([true, true, false, false]);
});

it('reports once that the hub is closing, before its streams close', async () => {
  const calls: string[] = [];
  const hub = createHub({
    observer: { closing: () => calls.push('closing'), closed: () => calls.push('closed') },
  });
  hub.open(new MemoryTransport(), get);
  await Promise.all([hub.close({ within: 0 }), hub.close()]);
  expect(calls).toEqual(['closing', 'closed']);
});
