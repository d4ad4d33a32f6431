import { setImmediate as turn } from 'node:timers/promises';
import { createHub, type Hub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterEach, describe, expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { MemoryLog } from '../support/memory-broker.ts';
import { open, quietHub } from '../support/memory-stream.ts';
import { dataOf, resetsOf, withId } from '../support/received.ts';
import { listen, type Running } from '../support/server.ts';

const running: Running[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
});

const namesOf = (count: number) => Array.from({ length: count }, (_, i) => `channel ${i}`);

/** Publishes `total` events to channels in turn, and returns the id before them. */
async function publishMissed(hub: Hub, channels: string[], total: number): Promise<string> {
  const id = await hub.publish('first', 0);
  for (let i = 0; i < total; i++) await hub.publish(channels[i % channels.length] as string, i);
  return id;
}

/** ms of CPU that this process uses until a stream has resumed; the least of several runs. */
async function costOfResume(channels: number, total: number): Promise<number> {
  const hub = quietHub({ history: { events: total, age: false } });
  const names = namesOf(channels);
  const id = await publishMissed(hub, names, total);
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 3; run++) {
    const before = process.cpuUsage();
    const { stream, transport } = open(hub, id);
    stream.subscribe(names);
    while (!transport.text.slice(-60).includes(`data: ${total - 1}\n`)) await turn();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1_000);
    stream.close();
  }
  return least;
}

/** Busy for so many ms. */
function occupy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('a stream that resumes with many channels', () => {
  it('costs about as much as one with few, for the same number of events', async () => {
    // The first runs compile what the others use.
    await costOfResume(100, 2_000);
    const few = await costOfResume(10, 10_000);
    const many = await costOfResume(1_000, 10_000);
    expect(many / few).toBeLessThan(8);
  });

  it.each([
    ['rejects', false],
    ['accepts', true],
  ])('yields to the event loop while its filter %s missed events', async (_, accepts) => {
    const hub = createHub({ heartbeat: false });
    const names = namesOf(20);
    const id = await publishMissed(hub, names, 100);
    // The turns of the event loop in which the filter runs.
    let now = 0;
    const turns = new Set<number>();
    let isCounting = true;
    const count = () => {
      now += 1;
      if (isCounting) setImmediate(count);
    };
    count();
    const server = await listen((req, res) => {
      openStream(req, res, { hub }).subscribe(names, {
        filter: () => {
          occupy(2);
          turns.add(now);
          return accepts;
        },
      });
    });
    running.push(server);
    const client = await request(server.origin, '/', withId(id));
    await client.until(({ events }) => events.length > 0);
    // In order behind what was missed.
    for (const stream of hub.streams) stream.send('sent');
    await client.until(each => dataOf(each).includes('sent'));
    isCounting = false;
    // 200 ms of work, at 4 ms a turn, and as few turns as half of that.
    expect(turns.size).toBeGreaterThanOrEqual(20);
    expect(dataOf(client)).toHaveLength(accepts ? 101 : 1);
  });

  it('yields to the event loop while its filter rejects live events', async () => {
    const hub = createHub({ heartbeat: false });
    let now = 0;
    const turns = new Set<number>();
    let isCounting = true;
    const count = () => {
      now += 1;
      if (isCounting) setImmediate(count);
    };
    count();
    const server = await listen((req, res) => {
      openStream(req, res, { hub }).subscribe(['a', 'b'], {
        filter: () => {
          occupy(2);
          turns.add(now);
          return false;
        },
      });
    });
    running.push(server);
    const client = await request(server.origin, '/');
    await client.until(({ events }) => events.length > 0);
    for (let i = 0; i < 100; i++) hub.publish(i % 2 ? 'a' : 'b', i);
    for (const stream of hub.streams) stream.send('sent');
    await client.until(each => dataOf(each).includes('sent'));
    isCounting = false;
    expect(turns.size).toBeGreaterThanOrEqual(20);
  });

  it.each([
    ['without a broker', () => undefined],
    ['with a broker', () => new MemoryLog().broker()],
  ])('receives all of 10 events of each of 1,000 channels, once and in order, %s', async (_, broker) => {
    const hub = createHub({ heartbeat: false, broker: broker() });
    const names = namesOf(1_000);
    const first = await hub.publish('first', 0);
    const published = Array.from({ length: 10_000 }, (_, i) => hub.publish(names[i % 1_000] as string, i));
    await Promise.all(published);
    const server = await listen((req, res) => {
      openStream(req, res, { hub }).subscribe(names);
    });
    running.push(server);
    const client = await request(server.origin, '/', withId(first));
    hub.publish(names[0] as string, 'live');
    await client.until(({ text }) => text.slice(-60).includes('data: live\n'));
    expect(resetsOf(client)).toEqual([]);
    expect(dataOf(client)).toEqual([...Array.from({ length: 10_000 }, (_, i) => String(i)), 'live']);
  });
});
