import { describe, expect, it } from 'vitest';
import { MemoryLog } from '../support/memory-broker.ts';
import { follow, open, until, wait } from '../support/memory-stream.ts';
import { hubOf, unreliableHub } from '../support/unreliable-broker.ts';

const isSoon = (promise: Promise<unknown>) =>
  Promise.race([promise.then(() => true), wait(30_000).then(() => false)]);

describe('a stream that adds a channel while its broker does not answer', () => {
  it('receives what its other channels do not retain any more', async () => {
    const { hub, other, faulty } = unreliableHub({ history: { events: 3 } });
    const { stream, data } = await follow(hub, 'a');
    faulty.hold();
    stream.subscribe('b');
    await faulty.holding();
    for (let i = 1; i <= 9; i++) {
      await other.publish('a', i);
      await wait(1);
    }
    faulty.release();
    await other.publish('a', 'end');
    await until(() => data().includes('end'));
    expect(data()).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9', 'end']);
  });

  it('receives what is trimmed by age before the delivery that is scheduled with the answer', async () => {
    const { hub, other, faulty } = unreliableHub({ history: { age: 300 } });
    const slow = await follow(hub, 'slow');
    const { stream, data } = await follow(hub, 'a');
    faulty.hold();
    stream.subscribe('b');
    await faulty.holding();
    await other.publish('a', 1);
    const write = slow.transport.write.bind(slow.transport);
    slow.transport.write = frame => {
      // The sweep is due when the event loop goes on, before the next deliveries.
      for (const start = performance.now(); performance.now() - start < 2_000; );
      faulty.release();
      return write(frame);
    };
    await wait(10);
    await other.publish('slow', 1);
    await until(() => data().length > 0);
    expect(data()).toEqual(['1']);
  });

  it('continues if it unsubscribes that channel', async () => {
    const { hub, other, faulty } = unreliableHub();
    const { stream, data } = await follow(hub, 'a');
    faulty.hold();
    stream.subscribe('b');
    await faulty.holding();
    stream.unsubscribe('b');
    await other.publish('a', 1);
    await until(() => data().includes('1'));
  });

  it('waits for the channel that it subscribes to instead', async () => {
    const { hub, other, faulty } = unreliableHub();
    await other.publish('c', 1);
    const { stream, data } = await follow(hub, 'a');
    faulty.hold();
    stream.subscribe('b');
    await faulty.holding();
    stream.unsubscribe('b');
    stream.subscribe('c', { from: 'start' });
    // The first call is answered, and not the next one.
    faulty.release();
    faulty.hold();
    await wait(20);
    faulty.release();
    await other.publish('c', 2);
    await until(() => data().includes('2'));
    expect(data()).toEqual(['1', '2']);
  });

  it('can be closed', async () => {
    const { hub, faulty } = unreliableHub();
    const { stream } = await follow(hub, 'a');
    faulty.hold();
    stream.subscribe('b');
    await faulty.holding();
    stream.close();
    expect(await isSoon(stream.closed)).toBe(true);
  });
});

describe('a stream that has not begun, because its broker does not answer,', () => {
  it('begins with what is new in a channel that it adds later', async () => {
    const { hub, other, faulty } = unreliableHub();
    const id = await other.publish('a', 'seen');
    await other.publish('b', 'before');
    await follow(hub, 'other');
    faulty.hold();
    const { stream, data } = open(hub, id);
    stream.subscribe('a');
    await faulty.holding();
    await wait(5);
    stream.subscribe('b');
    faulty.release();
    await wait(20);
    await other.publish('b', 'end');
    await until(() => data().includes('end'));
    expect(data()).toEqual(['end']);
  });
});

describe('a stream that is closed', () => {
  it('before the broker has returned a position receives what its channels retain', async () => {
    const { hub, other } = unreliableHub();
    await other.publish('a', 1);
    const { stream, data } = open(hub);
    stream.subscribe('a', { from: 'start' });
    stream.close();
    expect(await stream.closed).toBe('closed');
    expect(data()).toEqual(['1']);
  });

  it('while the broker does not answer ends after a few seconds', async () => {
    const { hub, faulty } = unreliableHub();
    faulty.hold();
    const { stream } = open(hub);
    stream.subscribe('a');
    stream.close();
    expect(await Promise.race([stream.closed, wait(60_000)])).toBe('closed');
  });

  it('repeatedly waits no longer than one that is closed once', async () => {
    const { hub, faulty } = unreliableHub();
    faulty.hold();
    const { stream } = open(hub);
    stream.subscribe('a');
    const closing = setInterval(() => stream.close(), 500);
    const reason = await Promise.race([stream.closed, wait(30_000)]);
    clearInterval(closing);
    expect(reason).toBe('closed');
  });

  it('ends in a new epoch without waiting for the broker', async () => {
    const { hub, other, faulty, unreliable } = unreliableHub();
    const { stream, transport, data } = await follow(hub, 'a');
    transport.isFull = true;
    await other.publish('a', 'written');
    await until(() => data().includes('written'));
    await other.publish('a', 'lost');
    stream.close();
    faulty.hold();
    await unreliable.restart(new MemoryLog());
    transport.drain();
    expect(await isSoon(stream.closed)).toBe(true);
  });

  it('keeps the id of its client, which may be ahead of this process, if it has no subscriptions', async () => {
    const { hub, other, unreliable } = unreliableHub();
    await follow(hub, 'a');
    unreliable.isBehind = true;
    const id = await other.publish('b', 1);
    const { stream, lastId, transport } = open(hub, id);
    stream.subscribe('b');
    stream.unsubscribe('b');
    await until(() => transport.status !== undefined);
    await wait(20);
    stream.close();
    await stream.closed;
    expect(lastId()).toBe(id);
  });
});

it('an event that was sent to a slow consumer comes before what is published in a new epoch', async () => {
  const { hub, unreliable } = unreliableHub();
  const { stream, data, transport } = await follow(hub, 'a');
  for (let i = 0; i < 3; i++) await hub.publish('a', i);
  await until(() => data().includes('2'));
  transport.isFull = true;
  stream.send('written');
  stream.send('sent');
  const log = new MemoryLog();
  const other = hubOf({ broker: log.broker() });
  await other.publish('a', 'published');
  await unreliable.restart(log);
  await wait(20);
  transport.drain();
  await until(() => data().includes('published'));
  expect(data().indexOf('sent')).toBeLessThan(data().indexOf('published'));
});

it('an event that is sent to a stream before it begins follows what was published before', async () => {
  const log = new MemoryLog();
  const other = hubOf({ broker: log.broker() });
  const id = await other.publish('a', 0);
  for (let i = 1; i <= 3; i++) await other.publish('a', i);
  const { stream, data } = open(hubOf({ broker: log.broker() }), id);
  stream.subscribe('a');
  stream.send('sent');
  await until(() => data().length === 4);
  expect(data()).toEqual(['1', '2', '3', 'sent']);
});
