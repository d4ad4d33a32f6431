import type { Draft } from '@tidings/core';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/system.ts';
import { FaultyProxy } from './faulty-proxy.ts';
import { draft, type StartedBroker, start } from './recorder.ts';
import { broker } from './redis-clients.ts';
import { REDIS, RedisServer } from './redis-server.ts';
import { soon } from './redis-setup.ts';

const keep = { events: 100, bytes: 1e6, age: 300_000, compact: false };

/** A channel before its keys are lost: its settings, and what is published to it. */
const states: Record<string, { keep: Draft['keep']; before: Partial<Draft>[] }> = {
  'a channel': { keep, before: [{}, {}, {}] },
  'a trimmed channel': { keep: { ...keep, events: 2 }, before: [{}, {}, {}, {}] },
  'an empty channel': { keep, before: [] },
  'a compacted channel': {
    keep: { ...keep, compact: true },
    before: [{ key: 'a' }, { key: 'b' }, { key: 'a' }, { key: 'c', kind: 'gone' }],
  },
  'a channel without history': { keep: { ...keep, events: 0 }, before: [{}, {}] },
  'an ended channel': { keep, before: [{}, {}, { kind: 'end' }] },
  'an ended channel without history': { keep: { ...keep, events: 0 }, before: [{}, { kind: 'end' }] },
  'a channel that has begun again': { keep, before: [{}, { kind: 'end' }, { kind: 'begin' }, {}] },
};

/** Every set of the keys of a hub with one channel. Only compacted channels have `keys`. */
function subsets(isCompact: boolean): string[][] {
  const names = ['hub', 'index', 'meta', 'log', ...(isCompact ? ['keys'] : [])];
  return Array.from({ length: 2 ** names.length }, (_, bits) => names.filter((_, bit) => bits & (2 ** bit)));
}

/** Deletes keys. */
let admin: ReturnType<typeof createClient>;
let hubs = 0;

describeWith(REDIS, 'Redis that loses keys', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
    admin = createClient({ url: server.url });
    await admin.connect();
  });
  afterAll(async () => {
    admin?.destroy();
    await server?.remove();
  });

  it.concurrent.each(Object.entries(states))('of %s leaves no gap without a reset', async (_, state) => {
    hubs += 1;
    const prefix = `lost${hubs}`;
    const proxy = await FaultyProxy.start(server.port);
    const [a, b] = [await startOn(server.url, prefix), await startOn(proxy.url, prefix)];
    try {
      for (const lost of subsets(state.keep.compact)) {
        for (const isRead of [true, false]) await loseKeys({ prefix, proxy, a, b }, state, lost, isRead);
      }
    } finally {
      await a.broker.close();
      await b.broker.close();
      proxy.close();
    }
  });

  it('leaves no gap without a reset when it evicts keys', async () => {
    const small = await RedisServer.start('--maxmemory', '4mb', '--maxmemory-policy', 'allkeys-lru');
    const node = await startOn(small.url, 'evicting');
    try {
      const accepted = new Map<string, number[]>();
      for (let count = 0; count < 1_500; count++) {
        const channel = `c${(count * 7) % 50}`;
        const { epoch, results } = await node.broker.publish([draft(channel, 'x'.repeat(4_000))], soon());
        const key = `${epoch} ${channel}`;
        if (typeof results[0] === 'number') accepted.set(key, [...(accepted.get(key) ?? []), results[0]]);
      }
      expect(small.cli('INFO', 'stats')).toMatch(/evicted_keys:[1-9]/);
      for (let index = 0; index < 50; index++) {
        const { epoch } = await again(() => node.broker.head());
        const positions = accepted.get(`${epoch} c${index}`) ?? [];
        for (const after of [0, ...positions]) {
          const page = await again(() => node.broker.read(`c${index}`, after, Number.MAX_SAFE_INTEGER));
          if (page.trimmedUpTo > after) continue;
          expect(page.entries.map(({ position }) => position)).toEqual(
            positions.filter(each => each > after),
          );
        }
      }
    } finally {
      await node.broker.close();
      await small.remove();
    }
  });
});

interface Accepted {
  readonly data: string;
  readonly key: string;
  readonly epoch: string;
  readonly position: number;
}

/** Two processes of one hub; the second is behind the proxy. */
interface Processes {
  readonly prefix: string;
  readonly proxy: FaultyProxy;
  readonly a: StartedBroker;
  readonly b: StartedBroker;
}

/**
 * Deletes keys while the second process is cut off. Expects that neither process has a gap that it does not know of.
 *
 * @param isRead whether the channel is read before it is published to again.
 */
async function loseKeys(
  { prefix, proxy, a, b }: Processes,
  { keep, before }: (typeof states)[string],
  lost: readonly string[],
  isRead: boolean,
): Promise<void> {
  const channel = `${lost.join()} ${isRead}`;
  const accepted: Accepted[] = [];
  async function publish(more: Partial<Draft> = {}): Promise<void> {
    const data = `${accepted.length}`;
    const key = more.key ?? data;
    const { head } = await again(() => a.broker.head());
    const { epoch, results } = await a.broker.publish([draft(channel, data, { keep, key, ...more })], soon());
    const [position] = results;
    // Only the end of a channel refuses anything, and `begin` changes nothing in one that has not ended.
    if (typeof position !== 'number') expect(position).toMatchObject({ code: 'ended' });
    else if (position > head) accepted.push({ data, key, epoch, position });
  }
  const first = b.sink.log.length;
  await b.broker.open(new Map([[channel, 0]]));
  for (const more of before) await publish(more);
  await b.sink.until(() => b.sink.data(channel).length === accepted.length);
  const { epoch } = await again(() => a.broker.head());
  proxy.stall();
  const isEnded = before.at(-1)?.kind === 'end';
  if (!isEnded) for (let count = 0; count < 2; count++) await publish();
  const keys = lost.map(name => keyOf(prefix, epoch, name, channel));
  if (keys.length > 0) await admin.del(keys);
  if (isRead) await expectNoGap(a, channel, accepted, keep);
  // A channel that is still known to have ended begins again.
  if (isEnded) await publish({ kind: 'begin' });
  await publish();
  proxy.cut();
  proxy.resume();
  // It has caught up.
  const last = accepted.at(-1) as Accepted;
  await b.sink.until(() => (b.sink.epochs.at(-1) ?? b.epoch) === last.epoch && b.sink.head >= last.position);
  if (last.epoch !== epoch) await reopen(b, channel);
  for (let count = 0; count < 2; count++) {
    await publish();
    await b.sink.until(() => b.sink.data(channel).at(-1) === accepted.at(-1)?.data);
  }
  expectKnownGaps(b.sink.log.slice(first), channel, accepted);
  for (const node of [a, b]) await expectNoGap(node, channel, accepted, keep);
  expect(await a.broker.state(channel)).toEqual(await b.broker.state(channel));
  const { entries } = await a.broker.read(channel, 0, Number.MAX_SAFE_INTEGER);
  const events = entries.filter(({ kind }) => kind === 'event' || kind === 'gone');
  expect(events.length).toBeLessThanOrEqual(keep.events);
  const ids = accepted.map(each => `${each.epoch}-${each.position}`);
  expect(new Set(ids).size).toBe(ids.length);
  b.broker.release([channel]);
}

async function startOn(url: string, prefix: string): Promise<StartedBroker> {
  const client = new Redis(url, { lazyConnect: true });
  return start(broker(client, prefix, { timeout: 20_000, probeInterval: 60_000 }));
}

/** Calls once more if a new epoch has begun meanwhile, as a hub does. */
function again<T>(call: () => Promise<T>): Promise<T> {
  return call().catch(call);
}

function keyOf(prefix: string, epoch: string, name: string, channel: string): string {
  if (name === 'hub') return `{${prefix}}:hub`;
  return `{${prefix}}:${epoch}:${name}${name === 'index' ? '' : `:${channel}`}`;
}

/** Opens a channel again, as a hub does in a new epoch, and records what was stored before. */
async function reopen({ broker, sink }: StartedBroker, channel: string): Promise<void> {
  const { pages } = await again(() => broker.open(new Map([[channel, 0]])));
  sink.newest = 0;
  sink.entries(pages.get(channel)?.entries ?? []);
}

/** Expects that what is missing of the entries that a process was given follows a `lost`, or a new epoch. */
function expectKnownGaps(log: readonly unknown[], channel: string, accepted: readonly Accepted[]): void {
  let next = 0;
  let isExcused = false;
  for (const item of log.map(String)) {
    if (item.startsWith('lost') || item === 'restarted') {
      isExcused = true;
      continue;
    }
    const index = accepted.findIndex(({ data }) => item === `${channel} ${data}`);
    expect(index).toBeGreaterThanOrEqual(next);
    if (!isExcused) expect(index).toBe(next);
    isExcused = false;
    next = index + 1;
  }
  expect(next).toBe(accepted.length);
}

/** Expects that a page after each position has everything after it, or says that it was trimmed. */
async function expectNoGap(
  { broker }: StartedBroker,
  channel: string,
  accepted: readonly Accepted[],
  keep: Draft['keep'],
): Promise<void> {
  const { epoch } = await again(() => broker.head());
  const known = accepted.filter(each => each.epoch === epoch);
  for (const after of [0, ...known.map(({ position }) => position)]) {
    const page = await broker.read(channel, after, Number.MAX_SAFE_INTEGER);
    if (page.trimmedUpTo > after) continue;
    const isSuperseded = (one: Accepted) => {
      return keep.compact && known.some(({ key, position }) => key === one.key && position > one.position);
    };
    const expected = known.filter(each => each.position > after && !isSuperseded(each));
    expect(page.entries.map(({ data }) => data)).toEqual(expected.map(({ data }) => data));
  }
}
