import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { FaultyBroker, MemoryLog } from '../../../test/support/memory-broker.ts';
import { createHub, type HubOptions } from '../src/index.ts';
import { MemoryTransport } from './memory-transport.ts';

/** Faults of the engine that were found by reading it: what streams get of a hub, without sockets. */

const turns = async (count = 8) => {
  for (let i = 0; i < count; i++) await turn();
};

function connect(options: HubOptions = {}) {
  const errors: string[] = [];
  const hub = createHub({
    onError: (error, { stage }) => void errors.push(`${stage}: ${(error as Error).message}`),
    ...options,
  });
  const open = (lastEventId?: string, transport = new MemoryTransport()) => {
    const stream = hub.open(transport, { method: 'GET', url: '/', lastEventId });
    return { stream, transport };
  };
  return { hub, open, errors };
}

function withBroker(options: HubOptions = {}) {
  const faulty = new FaultyBroker(new MemoryLog().broker());
  return { faulty, ...connect({ broker: faulty.broker, ...options }) };
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const resets = (text: string) =>
  [...text.matchAll(/event: reset\ndata: (.*)\n/g)].map(([, data]) => JSON.parse(data as string));
const datas = (text: string) => [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => data);

it('closes a stream whose write throws, and continues with the others', async () => {
  const { hub, open, errors } = connect();
  const other = open();
  other.stream.subscribe('a');
  await turns();
  const transport = new MemoryTransport();
  let writes = 0;
  transport.write = () => {
    writes += 1;
    if (writes > 1) throw new Error('no more');
    return true;
  };
  const { stream } = open(undefined, transport);
  stream.subscribe('a').send('first');
  await turns();
  await hub.publish('a', 'one');
  await turns();
  await hub.publish('a', 'two');
  await turns();
  expect(await stream.closed).toBe('error');
  expect(errors).toContain('write: no more');
  expect(datas(other.transport.text)).toEqual(['one', 'two']);
});

it('names channels of late subscriptions in the reset of a new epoch', async () => {
  const { faulty, hub, open } = withBroker();
  const { stream, transport } = open();
  stream.subscribe('a');
  await hub.position();
  await turns();
  stream.subscribe('b');
  await turns();
  faulty.sink?.restarted('abcdefabcdef', 0);
  await turns();
  expect(resets(transport.text)).toEqual([{ reason: 'unknown', channels: ['a', 'b'] }]);
});

it('sends no reset to a client without an id whose stream had not begun in the old epoch', async () => {
  const { faulty, hub, open } = withBroker();
  await hub.position();
  faulty.hold();
  const { stream, transport } = open();
  stream.subscribe('a');
  await faulty.holding();
  faulty.sink?.restarted('abcdefabcdef', 7);
  faulty.release();
  await turns(20);
  expect(transport.text).toContain('id: abcdefabcdef-7');
  expect(resets(transport.text)).toEqual([]);
});

it('closes only the stream whose channel cannot be configured in a new epoch', async () => {
  let isBroken = false;
  const { faulty, hub, open, errors } = withBroker({
    channels: name => {
      if (isBroken && name === 'bad') throw new Error('no such channel');
      return {};
    },
  });
  const bad = open();
  bad.stream.subscribe('bad');
  const good = open();
  good.stream.subscribe('good');
  await hub.position();
  await turns();
  isBroken = true;
  faulty.sink?.restarted('abcdefabcdef', 0);
  await turns();
  expect(await bad.stream.closed).toBe('error');
  expect(errors).toContain('subscribe: no such channel');
  expect(resets(good.transport.text)).toHaveLength(1);
});

it.each([{ history: false as const }, {}])(
  'delivers an event of 17 MB to a client that reads: %o',
  async channel => {
    const { hub, open } = connect({ channels: () => channel });
    const { stream, transport } = open();
    stream.subscribe('a');
    await turns();
    await hub.publish('a', 'x'.repeat(17e6));
    await turns(400);
    expect(transport.text.length).toBeGreaterThan(17e6);
    expect(resets(transport.text)).toEqual([]);
  },
);

it('keeps an undelivered event of a quiet channel when others publish 18 MB in the same tick', async () => {
  const { hub, open } = connect({ channels: name => (name === 'quiet' ? { history: false } : {}) });
  const { stream, transport } = open();
  stream.subscribe('quiet');
  await turns();
  for (let i = 0; i < 20; i++) hub.publish(`noisy-${i}`, 'x'.repeat(900_000));
  hub.publish('quiet', 'small');
  await turns(20);
  expect(datas(transport.text)).toEqual(['small']);
});

it('sends a reset when undelivered events were evicted, even if the channel retains nothing', async () => {
  const { hub, open } = connect({ history: false });
  const { stream, transport } = open();
  stream.subscribe('a');
  await turns();
  for (let i = 0; i < 400; i++) hub.publish('a', 'x'.repeat(50_000));
  expect(hub.stats().historyBytes).toBeLessThan(18 * 1024 * 1024);
  await turns(20);
  expect(resets(transport.text)).toEqual([{ reason: 'slow', channels: ['a'] }]);
});

it.each([false, true])('sends a new subscriber no event from before begin(): compact %s', async compact => {
  const { hub, open } = connect({ channels: () => ({ compact }) });
  hub.publish('a', 'old');
  await turns();
  hub.channel('a').end();
  await turns();
  hub.channel('a').begin();
  const { stream, transport } = open();
  stream.subscribe('a', { from: 'start' });
  await turns();
  const later = open();
  later.stream.subscribe('a', { from: 'start' });
  await turns();
  expect([datas(transport.text), datas(later.transport.text)]).toEqual([[], []]);
});

it('continues when the channel that it waits for is unsubscribed', async () => {
  const { faulty, hub, open } = withBroker();
  const { stream, transport } = open();
  stream.subscribe('a');
  await hub.position();
  await turns();
  faulty.goAway();
  stream.subscribe('b');
  await turns();
  stream.send('direct');
  stream.unsubscribe('b');
  await turns();
  expect(datas(transport.text)).toEqual(['direct']);
  faulty.recover();
});

it('begins at `from` after a loss while the channel is opened', async () => {
  const { faulty, hub, open } = withBroker();
  await hub.publish('b', 'one');
  await hub.publish('b', 'two');
  open().stream.subscribe('b');
  const { stream, transport } = open();
  stream.subscribe('a');
  await turns(20);
  faulty.hold();
  stream.subscribe(['b', 'c'], { from: 'start' });
  await faulty.holding();
  faulty.sink?.lost(['b']);
  faulty.release();
  await turns(30);
  expect(datas(transport.text)).toEqual(['one', 'two']);
  expect(resets(transport.text)).toEqual([]);
});

it('frees the joined writes of clients that resume at many offsets', async () => {
  const { hub, open } = connect({ history: { events: 10_000, bytes: 32 * 1024 * 1024 } });
  for (let i = 0; i < 2_000; i++) {
    hub.publish('a', 'x'.repeat(4_000));
    if (i % 100 === 0) await turns(2);
  }
  await turns();
  const epoch = (await hub.position()).split('-')[0];
  collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 1; i < 1_000; i++) {
    const transport = new MemoryTransport();
    // It reads one piece, and then no more.
    transport.write = ({ length }) => length < 100;
    open(`${epoch}-${i}`, transport).stream.subscribe('a');
  }
  await turns(50);
  // Joined writes are kept for a second.
  await sleep(2_500);
  collectGarbage();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
});
