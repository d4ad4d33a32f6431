import { describe, expect, it } from 'vitest';
import { open, quietHub, until, wait } from '../support/memory-stream.ts';

const resetOf = (reason: string) => JSON.stringify({ reason, channels: ['a'] });

describe('a client that has received the end of its channel', () => {
  it('receives new events of a channel without events that others follow', async () => {
    const hub = quietHub();
    const first = open(hub);
    first.stream.subscribe('a');
    await until(() => first.lastId() !== undefined);
    const { stream, data, transport } = open(hub, 'x-1.');
    stream.subscribe('a');
    await until(() => transport.status !== undefined);
    expect(transport.status).toBe(200);
    hub.publish('a', 1);
    await until(() => data().includes('1'));
  });

  it('gets a reset if the channel was dropped from memory with later events', async () => {
    const dropped: string[] = [];
    const hub = quietHub({
      history: { age: 30 },
      observer: { dropped: channel => void dropped.push(channel) },
    });
    await hub.publish('a', 1);
    const id = await hub.channel('a').end();
    hub.channel('a').begin();
    hub.publish('a', 2);
    await until(() => dropped.includes('a'));
    const { stream, data, transport } = open(hub, `${id}.`);
    stream.subscribe('a');
    await until(() => transport.status !== undefined);
    expect(transport.status).toBe(200);
    await until(() => data().length > 0);
    expect(data()).toEqual([resetOf('history')]);
  });
});

describe('a channel without a state', () => {
  it('continues after the id of an interrupted backfill', async () => {
    const hub = quietHub();
    const id = await hub.publish('a', 1);
    hub.publish('a', 2);
    const { stream, data } = open(hub, `${id}~`);
    stream.subscribe('a');
    await until(() => data().length > 1);
    expect(data()).toEqual([resetOf('interrupted'), '2']);
  });

  it('begins at its `from` after the id of an interrupted backfill', async () => {
    const hub = quietHub();
    hub.publish('a', 1);
    const id = await hub.publish('a', 2);
    hub.publish('a', 3);
    const { stream, data } = open(hub, `${id}~`);
    stream.subscribe('a', { from: 'start' });
    await until(() => data().includes('3'));
    expect(data()).toEqual([resetOf('interrupted'), '1', '2', '3']);
  });

  it('sends what it retains after an id of the application that is unknown', async () => {
    const hub = quietHub();
    hub.publish('a', 1);
    const { stream, data } = open(hub);
    stream.subscribe('other');
    await wait(10);
    stream.subscribe('a', { from: { after: 'x-1' } });
    await until(() => data().length > 1);
    expect(data()).toEqual([resetOf('unknown'), '1']);
  });
});

it('a live stream of a channel without history gets a reset for what was evicted before it was delivered', async () => {
  const hub = quietHub({ channels: () => ({ history: false }) });
  const { stream, data, lastId } = open(hub);
  stream.subscribe('a');
  await until(() => lastId() !== undefined);
  // More than may wait for a round of deliveries.
  for (let i = 0; i < 20; i++) hub.publish('a', `${i} ${'x'.repeat(1024 * 1024)}`);
  await until(() => data().length > 0);
  expect(data()[0]).toBe(resetOf('slow'));
});
