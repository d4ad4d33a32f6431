import { setImmediate as turn } from 'node:timers/promises';
import { type Broker, type ChannelOptions, createHub, type Hub } from '@tidings/core';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../../packages/core/src/protocol/frame.ts';
import { MemoryTransport } from '../../packages/core/test/memory-transport.ts';
import { MemoryLog } from '../support/memory-broker.ts';
import { until } from '../support/memory-stream.ts';

/** ms: longer than any test takes. */
const LONG = 10_000;

class RecordingTransport extends MemoryTransport {
  /** The data of the events of each write. */
  readonly writes: string[][] = [];

  override write(frame: Frame): boolean {
    const text = Buffer.from(frame.bytes).toString();
    const data = [...text.matchAll(/data: (.+)/g)].map(match => match[1] as string);
    if (data.length > 0) this.writes.push(data);
    return super.write(frame);
  }
}

async function follow(hub: Hub, channels: string | string[], lastEventId?: string, method = 'GET') {
  const transport = new RecordingTransport();
  const stream = hub.open(transport, { method, url: '/', lastEventId });
  stream.subscribe(channels);
  // A POST gets no marker.
  if (method === 'POST') await hub.publish('fast', 0);
  await until(() => transport.text.includes('id: '));
  return { stream, transport, writes: transport.writes };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

const SETTINGS: Record<string, ChannelOptions> = {
  short: { flushInterval: 300 },
  slow: { flushInterval: LONG },
  slower: { flushInterval: LONG - 1 },
  few: { history: { events: 3 } },
  slowFew: { history: { events: 3 }, flushInterval: LONG },
};

const createFlushHub = (broker?: Broker) =>
  createHub({ heartbeat: false, broker, channels: name => SETTINGS[name] ?? {} });

describe.each([
  ['in one process', () => createFlushHub()],
  ['with a broker', () => createFlushHub(new MemoryLog().broker())],
])('a channel with a flushInterval, %s', (_, create) => {
  it('delivers the events that are published within it in one write', async () => {
    const hub = create();
    const { writes } = await follow(hub, 'short');
    for (let i = 0; i < 5; i++) {
      await hub.publish('short', i);
      await turn();
    }
    await until(() => writes.length > 0);
    expect(writes).toEqual([['0', '1', '2', '3', '4']]);
    await hub.publish('short', 5);
    await until(() => writes.length > 1);
    expect(writes[1]).toEqual(['5']);
    await hub.close();
  });

  it('delivers older events together with those of another channel, to streams that follow both', async () => {
    const hub = create();
    const both = await follow(hub, ['slow', 'fast']);
    const one = await follow(hub, 'slow');
    await hub.publish('slow', 1);
    await turns(5);
    expect(both.writes).toEqual([]);
    await hub.publish('fast', 2);
    await hub.publish('slow', 3);
    await until(() => both.writes.flat().includes('2'));
    expect(both.writes.flat().slice(0, 2)).toEqual(['1', '2']);
    expect(one.writes).toEqual([]);
    await hub.close();
    expect(both.writes.flat()).toEqual(['1', '2', '3']);
    expect(one.writes.flat()).toEqual(['1', '3']);
  });

  it('delivers them immediately to a client that resumes, and never twice', async () => {
    const hub = create();
    const id = await hub.publish('slow', 0);
    const live = await follow(hub, 'slow');
    await hub.publish('slow', 1);
    const resumed = await follow(hub, 'slow', id);
    expect(resumed.writes.flat()).toEqual(['1']);
    expect(live.writes).toEqual([]);
    await hub.close();
    expect(live.writes.flat()).toEqual(['1']);
    expect(resumed.writes.flat()).toEqual(['1']);
  });

  it('delivers them before an event of send(), and before the end of a stream', async () => {
    const hub = create();
    const sending = await follow(hub, 'slow');
    const closing = await follow(hub, 'slow');
    await hub.publish('slow', 1);
    await turns(5);
    sending.stream.send('sent');
    expect(sending.writes.flat()).toEqual(['1', 'sent']);
    closing.stream.close();
    await closing.stream.closed;
    expect(closing.writes.flat()).toEqual(['1']);
    await hub.close();
  });

  it('delivers them to listeners together', async () => {
    const hub = create();
    const received: unknown[] = [];
    const listening = hub.listen('slow', ({ data }) => received.push(data));
    await listening.ready;
    await turns(5);
    await hub.publish('slow', 1);
    await hub.publish('slow', 2);
    await turns(5);
    expect(received).toEqual([]);
    await hub.close();
    expect(received).toEqual([1, 2]);
  });

  it('delivers them when the hub closes, without waiting', async () => {
    const hub = create();
    const id = await hub.position();
    // The response to a POST goes on until the deadline.
    const { writes, stream } = await follow(hub, ['slow', 'slower', 'fast'], id, 'POST');
    await hub.publish('slow', 1);
    await hub.publish('slower', 2);
    await turns(5);
    expect(writes.flat()).toEqual(['0']);
    const closed = hub.close({ within: 1_000 });
    await until(() => writes.flat().length === 3);
    await hub.publish('slow', 3);
    await until(() => writes.flat().length === 4);
    expect(writes.flat()).toEqual(['0', '1', '2', '3']);
    expect(hub.streams.has(stream)).toBe(true);
    stream.close();
    await closed;
  });
});

describe('events that wait for the end of a flushInterval', () => {
  it('are delivered even if the history does not retain them', async () => {
    const hub = createFlushHub();
    const { writes } = await follow(hub, 'slowFew');
    for (let i = 0; i < 8; i++) {
      hub.publish('slowFew', i);
      await turn();
    }
    await hub.close();
    expect(writes.flat()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
  });

  it('do not prevent other channels from being trimmed', async () => {
    const hub = createFlushHub();
    await follow(hub, 'slow');
    hub.publish('slow', 'waits');
    for (let i = 0; i < 8; i++) {
      hub.publish('few', i);
      await turns(3);
    }
    const { stream, transport } = await follow(hub, 'other');
    stream.subscribe('few', { from: 'start' });
    await until(() => transport.writes.flat().includes('7'));
    expect(transport.writes.flat().filter(data => /^\d$/.test(data))).toEqual(['5', '6', '7']);
    await hub.close();
  });

  it('are sent early when they reach 1 MiB', async () => {
    const hub = createFlushHub();
    const { writes } = await follow(hub, 'slow');
    hub.publish('slow', 'x'.repeat(600_000));
    await turns(5);
    expect(writes).toEqual([]);
    hub.publish('slow', 'x'.repeat(600_000));
    await until(() => writes.flat().length === 2);
    await hub.close();
  });

  it('are sent with the next event when the channel gets another interval', async () => {
    const hub = createFlushHub();
    const { writes } = await follow(hub, 'slow');
    hub.publish('slow', 1);
    await turns(5);
    hub.channel('slow', { flushInterval: 0 });
    hub.publish('slow', 2);
    await until(() => writes.length > 0);
    expect(writes).toEqual([['1', '2']]);
    await hub.close();
  });
});

it.each([-1, 1.5, 10_001, Number.NaN, '10', false])('a flushInterval cannot be %s', value => {
  const hub = createHub();
  expect(() => hub.channel('a', { flushInterval: value as number })).toThrow(
    /^flushInterval must be an integer of ms, 0 to 10,000; got /,
  );
});
