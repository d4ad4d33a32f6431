import { createHub, type Hub } from '@tidings/core';
import { describe, expect, it } from 'vitest';
import { FaultyBroker, MemoryLog } from '../support/memory-broker.ts';
import { open, quietHub, until, wait } from '../support/memory-stream.ts';

const post = (hub: Hub, client?: string) => open(hub, undefined, { client }, 'POST');

/** What the client of a POST takes for the end of the answer must be its end. */
describe('the response to a POST is incomplete', () => {
  it('when its client is too slow for a channel', async () => {
    const hub = quietHub({ channels: () => ({ overflow: 'disconnect', history: { events: 3 } }) });
    const { stream, transport } = post(hub);
    transport.isFull = true;
    stream.subscribe('a');
    await until(() => transport.text !== '');
    for (let i = 1; i <= 9; i++) {
      hub.publish('a', i);
      await wait(1);
    }
    transport.drain();
    expect(await stream.closed).toBe('slow');
    expect(transport.ending).toBe('incomplete');
  });

  it('when its client exceeds its limit of streams, and has no reconnection time', async () => {
    const hub = quietHub({ limits: { perClient: 1 } });
    const { stream, transport } = post(hub, 'ann');
    await until(() => transport.text !== '');
    post(hub, 'ann');
    expect(await stream.closed).toBe('replaced');
    expect([transport.text, transport.ending]).toEqual([':\n\n', 'incomplete']);
  });
});

describe.each([
  ['POST', 'aborted'],
  ['GET', 'complete'],
])('the response to a %s that is closed is %s', (method, ending) => {
  it('when events that were published before are lost', async () => {
    const faulty = new FaultyBroker(new MemoryLog().broker());
    const hub = createHub({ broker: faulty.broker, heartbeat: false });
    const { stream, transport } = open(hub, undefined, {}, method);
    stream.subscribe('a');
    await until(() => transport.text !== '');
    transport.isFull = true;
    await hub.publish('a', 'written');
    await until(() => transport.text.includes('written'));
    await hub.publish('a', 'lost');
    stream.close();
    faulty.sink?.lost(['a']);
    transport.drain();
    expect(await stream.closed).toBe('closed');
    expect(transport.text).not.toContain('data: lost');
    expect(transport.ending).toBe(ending);
    await hub.close();
  });

  it('while the state of a channel is pending', async () => {
    const hub = quietHub({ channels: () => ({ snapshot: () => new Promise(() => {}) }) });
    const { stream, transport } = open(hub, undefined, {}, method);
    stream.subscribe('a');
    await until(() => transport.text !== '');
    stream.close();
    expect(await stream.closed).toBe('closed');
    expect(transport.ending).toBe(ending);
  });
});

it('a stream without markers that is closed before it has begun has none', async () => {
  const faulty = new FaultyBroker(new MemoryLog().broker());
  const hub = createHub({ broker: faulty.broker, heartbeat: false });
  const { stream, transport } = open(hub, 'abc-1', { markers: false });
  stream.subscribe('a');
  stream.close();
  expect(await stream.closed).toBe('closed');
  expect(transport.text).toBe(':\n\n');
  await hub.close();
});
