import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createHub } from '../src/hub/create-hub.ts';
import type { HubOptions, Observer, Replay, StreamSummary } from '../src/index.ts';
import { MemoryTransport } from './memory-transport.ts';

function serve(options: HubOptions = {}) {
  const hub = createHub({ heartbeat: false, onError: () => {}, ...options });
  const open = (client: string, lastEventId?: string) => {
    const transport = new MemoryTransport();
    return { transport, stream: hub.open(transport, { method: 'GET', url: '/', lastEventId }, { client }) };
  };
  return { hub, open };
}

async function turns(count = 6): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

/** What became of each stream, by its client. */
function record() {
  const replays: [client: string | undefined, Replay][] = [];
  const summaries = new Map<string | undefined, StreamSummary>();
  const headers: [client: string | undefined, status: number, ms: number][] = [];
  const observer: Observer = {
    headersSent: (stream, status, ms) => headers.push([stream.client, status, ms]),
    caughtUp: (stream, replay) => replays.push([stream.client, replay]),
    closed: (stream, _, summary) => summaries.set(stream.client, summary),
  };
  return { replays, summaries, headers, observer };
}

it('sums up a stream when it closes', async () => {
  const { observer, summaries, headers } = record();
  const { hub, open } = serve({ observer });
  const { stream, transport } = open('ann');
  stream.subscribe('a');
  await turns();
  expect(headers).toEqual([['ann', 200, expect.any(Number)]]);
  for (const data of ['one', 'two']) hub.publish('a', data);
  await turns();
  transport.isFull = true;
  stream.send('three');
  stream.send('x'.repeat(1_000));
  transport.drain();
  await turns();
  stream.close();
  await stream.closed;
  const summary = summaries.get('ann') as StreamSummary;
  expect(summary).toMatchObject({ events: 4, lagged: 1, bytes: transport.text.length });
  expect(summary.maxBufferedBytes).toBeGreaterThan(1_000);
  expect(summary.maxBufferedBytes).toBeLessThan(1_100);
  const { headersAfter, firstEventAfter, duration } = summary;
  expect(headersAfter).toBe(headers[0]?.[2]);
  expect([headersAfter, firstEventAfter, duration]).toEqual(
    [headersAfter, firstEventAfter, duration].sort((one, other) => Number(one) - Number(other)),
  );
});

it('has no headers and no first event of a stream whose client disconnected before', async () => {
  const { observer, summaries, headers } = record();
  const { open } = serve({ observer });
  const { transport } = open('ann');
  transport.leave();
  await turns();
  expect(headers).toEqual([]);
  expect(summaries.get('ann')).toMatchObject({
    headersAfter: undefined,
    firstEventAfter: undefined,
    events: 0,
  });
});

it('reports what each stream received when it began', async () => {
  const { observer, replays } = record();
  const { hub, open } = serve({ observer, history: { events: 3 } });
  const id = await hub.publish('a', 0);
  open('new').stream.subscribe('a');
  for (const data of [1, 2, 3]) await hub.publish('a', data);
  await turns();
  const resumed = open('resumed', id);
  resumed.stream.subscribe('a');
  open('stranger', 'x').stream.subscribe('a');
  await turns();
  await hub.publish('a', 4);
  await turns();
  open('late', id).stream.subscribe('a');
  await turns();
  expect(replays.map(([client, { outcome, reason, events }]) => [client, outcome, reason, events])).toEqual([
    ['new', 'new', undefined, 3],
    ['resumed', 'resumed', undefined, 3],
    ['stranger', 'reset', 'unknown', expect.any(Number)],
    ['late', 'reset', 'history', 4],
  ]);
  expect(replays.every(([, { isComplete }]) => isComplete)).toBe(true);
  const [, [, { bytes }]] = replays as [unknown, [unknown, Replay]];
  expect(resumed.transport.text.slice(0, bytes + 10)).toContain('data: 3');
  const replayedEvents = replays.slice(1).reduce((sum, [, { events }]) => sum + events, 0);
  expect(hub.stats()).toMatchObject({ replayedEvents, resetReasons: { unknown: 1, history: 1 } });
});

it('reports a stream that closes before it has caught up', async () => {
  const { observer, replays } = record();
  const { hub, open } = serve({ observer });
  const id = await hub.publish('a', 0);
  await hub.publish('a', 'x'.repeat(100_000));
  await hub.publish('a', 'y'.repeat(100_000));
  const { stream, transport } = open('ann', id);
  transport.isFull = true;
  stream.subscribe('a');
  await turns();
  transport.leave();
  expect(replays).toEqual([['ann', expect.objectContaining({ events: 0, isComplete: false })]]);
});

it('counts the events that slow consumers have not received, and their age', async () => {
  const { hub, open } = serve({ history: { events: 10 } });
  const slow = open('slow');
  const fast = open('fast');
  for (const { stream } of [slow, fast]) stream.subscribe('a');
  await turns();
  slow.transport.isFull = true;
  for (let i = 0; i < 5; i++) {
    hub.publish('a', i);
    await turns();
  }
  expect(hub.stats()).toMatchObject({ lagging: 1, lagged: 1, lagEvents: 4 });
  // The clock of a hub without heartbeats ticks once a second.
  await expect.poll(() => hub.stats().lagAge).toBeGreaterThan(0);
  slow.transport.drain();
  await turns();
  expect(hub.stats()).toMatchObject({ lagging: 0, lagged: 1, lagEvents: 0, lagAge: 0 });
});

it('counts rounds, and evicted entries, and why events were not accepted', async () => {
  const { hub, open } = serve({ history: { bytes: 60_000_000 } });
  open('ann').stream.subscribe('a');
  await turns();
  const { rounds } = hub.stats().delivery;
  await hub.publish('a', 1);
  await turns();
  const { delivery, evicted } = hub.stats();
  expect(delivery.rounds).toBe(rounds + 1);
  expect(delivery.longestHold).toBeGreaterThan(0);
  expect(delivery.duration).toBeGreaterThan(0);
  expect(evicted).toBe(0);
  for (const name of ['b', 'c', 'd', 'e']) {
    await hub.publish(name, 'x'.repeat(17_000_000));
    await turns();
  }
  expect(hub.stats().evicted).toBe(2);
  await hub.channel('a').end();
  await expect(hub.publish('a', 2)).rejects.toThrow();
  await expect(hub.publish('a', () => {})).rejects.toThrow();
  expect(hub.stats().publishErrors).toEqual({ ended: 1, unknown: 1 });
});

it('counts the events of a channel from the first stats() call', async () => {
  const { hub, open } = serve();
  const channel = hub.channel('a');
  await channel.publish('before');
  open('ann').stream.subscribe('a');
  expect(channel.stats()).toMatchObject({ subscribers: 1, retained: 1, published: 0, publishedBytes: 0 });
  await channel.publish('after');
  const { retainedBytes, publishedBytes, ...others } = hub.channel('a').stats();
  expect(others).toEqual({ subscribers: 1, retained: 2, published: 1, since: expect.any(Number) });
  expect(retainedBytes).toBeGreaterThan(publishedBytes);
  expect(publishedBytes).toBeGreaterThan('data: after'.length);
});

it('keeps the counts of a channel while it is not in memory', async () => {
  const { hub } = serve({ history: false });
  const channel = hub.channel('a');
  channel.stats();
  await channel.publish(1);
  await expect.poll(() => hub.stats().channels).toBe(0);
  await channel.publish(2);
  expect(channel.stats().published).toBe(2);
});

it('keeps the counts of a bounded number of channels that are not in memory', async () => {
  const { hub, open } = serve();
  open('ann').stream.subscribe('followed');
  const { since } = hub.channel('followed').stats();
  await hub.publish('followed', 1);
  const first = hub.channel('0').stats();
  await expect.poll(() => Date.now()).toBeGreaterThan(since);
  expect(hub.channel('0').stats()).toEqual(first);
  for (let i = 1; i <= 10_000; i++) hub.channel(String(i)).stats();
  expect(hub.channel('0').stats().since).toBeGreaterThan(first.since);
  expect(hub.channel('followed').stats()).toMatchObject({ since, published: 1 });
});

it('adds and removes further observers', async () => {
  const first = record();
  const second = record();
  const { hub, open } = serve({ observer: first.observer });
  open('one');
  const stop = hub.observe(second.observer);
  await turns();
  open('two');
  await turns();
  stop();
  stop();
  for (const stream of hub.streams) stream.close();
  expect(first.headers.map(([client]) => client)).toEqual(['one', 'two']);
  expect(second.headers.map(([client]) => client)).toEqual(['one', 'two']);
  expect([...first.summaries.keys()]).toEqual(['one', 'two']);
  expect([...second.summaries.keys()]).toEqual([]);
});

it('measures streams that were open before the first observer from then on', async () => {
  const { hub, open } = serve();
  const { stream } = open('ann');
  await turns();
  stream.send('before');
  const { observer, summaries } = record();
  hub.observe(observer);
  stream.send('after');
  stream.close();
  expect(summaries.get('ann')).toMatchObject({
    events: 2,
    headersAfter: undefined,
    firstEventAfter: undefined,
  });
});

it('has the id of a stream only once the application has read it', () => {
  const { hub, open } = serve();
  const { stream } = open('ann');
  hub.stats();
  expect(stream.stats().id).toBeUndefined();
  const { id } = stream;
  expect(stream.stats().id).toBe(id);
});

it('refuses a callback that is not a function, and names it', () => {
  const { hub } = serve();
  expect(() => hub.observe({ held: 5 } as unknown as Observer)).toThrow(/observer\.held/);
});
