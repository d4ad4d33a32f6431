import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { MemoryLog } from '../support/memory-broker.ts';
import { follow, open, until, wait } from '../support/memory-stream.ts';
import { hubOf, unreliableHub } from '../support/unreliable-broker.ts';

const slow = (...channels: string[]) => JSON.stringify({ reason: 'history', channels });

describe('after a loss', () => {
  it('a channel that is unsubscribed in the same tick gets no reset', async () => {
    const { hub, other, unreliable } = unreliableHub();
    const { stream, data } = await follow(hub, ['a', 'b']);
    unreliable.lose(['a']);
    stream.unsubscribe('a');
    await wait(20);
    await other.publish('b', 'end');
    await until(() => data().includes('end'));
    expect(data()).toEqual(['end']);
  });

  it('a channel that is subscribed again with a `from` in the same tick gets no reset', async () => {
    const { hub, other, unreliable } = unreliableHub();
    const { stream, data } = await follow(hub, ['a', 'b']);
    unreliable.lose(['a']);
    stream.subscribe('a', { from: 'now' });
    await wait(20);
    await other.publish('a', 'end');
    await until(() => data().includes('end'));
    expect(data()).toEqual(['end']);
  });

  it('a second one before the client has received the reset causes no second reset', async () => {
    const { hub, other, unreliable } = unreliableHub();
    const { transport, data } = await follow(hub, 'a');
    transport.isFull = true;
    await other.publish('a', 1);
    await until(() => data().includes('1'));
    unreliable.lose(['a']);
    await wait(20);
    unreliable.lose(['a']);
    await wait(20);
    transport.drain();
    await other.publish('a', 'end');
    await until(() => data().includes('end'));
    expect(data()).toEqual(['1', slow('a'), 'end']);
  });

  it('a client receives an id, if its first one was to come with a reset that is dropped', async () => {
    const { hub, unreliable } = unreliableHub();
    const { stream, transport, lastId } = open(hub);
    transport.isFull = true;
    stream.subscribe(['a', 'b']);
    await until(() => transport.text !== '');
    await wait(20);
    expect(lastId()).toBeUndefined();
    unreliable.lose(['a']);
    stream.unsubscribe('a');
    await wait(20);
    transport.drain();
    await until(() => lastId() !== undefined);
  });

  it('a stream that closes before the state was sent again ends with an id that says so', async () => {
    const { hub, unreliable } = unreliableHub({ channels: () => ({ compact: true }) });
    const { stream, data, lastId } = await follow(hub, 'a');
    unreliable.lose(['a']);
    stream.close();
    await stream.closed;
    expect(data()).toEqual([slow('a')]);
    expect(lastId()).toMatch(/~$/);
  });

  it('a subscription that waits for another channel begins as it would have', async () => {
    const { hub, other, faulty, unreliable } = unreliableHub();
    await other.publish('b', 1);
    await follow(hub, 'b');
    const { stream, data } = await follow(hub, 'a');
    faulty.hold();
    stream.subscribe(['b', 'c'], { from: 'start' });
    await faulty.holding();
    unreliable.lose(['b']);
    faulty.release();
    await wait(20);
    await other.publish('b', 'end');
    await until(() => data().includes('end'));
    expect(data()).toEqual(['1', 'end']);
  });
});

describe('an event is delivered if it was lost on its way', () => {
  it('while its channel was read', async () => {
    const { hub, other, faulty, unreliable } = unreliableHub();
    await follow(hub, 'other');
    const { stream, data, lastId } = open(hub);
    faulty.hold();
    stream.subscribe('a');
    await faulty.holding();
    unreliable.isBehind = true;
    await other.publish('a', 'lost');
    unreliable.lose(['a']);
    faulty.release();
    await until(() => lastId() !== undefined);
    await other.publish('a', 'end');
    await until(() => data().includes('end'));
    expect(data()).toEqual(['lost', 'end']);
  });

  it('after its channel was read, and before the other channels of the stream', async () => {
    const { hub, other, faulty, unreliable } = unreliableHub();
    // More than one page.
    for (let i = 1; i <= 40; i++) await other.publish('b', i);
    await follow(hub, 'other');
    const { stream, data } = open(hub);
    faulty.hold();
    stream.subscribe(['a', 'b'], { from: 'start' });
    await faulty.holding();
    faulty.release();
    faulty.hold();
    await faulty.holding();
    expect(faulty.calls.at(-1)).toBe('read');
    unreliable.isBehind = true;
    await other.publish('a', 'lost');
    unreliable.lose(['a']);
    faulty.release();
    await until(() => data().includes('40'));
    await other.publish('a', 'end');
    await until(() => data().includes('end'));
    expect(data().slice(40)).toEqual(['lost', 'end']);
  });
});

it('a client whose id is at a position that the broker has lost gets a reset', async () => {
  const { hub, other, faulty } = unreliableHub();
  await follow(hub, 'other');
  const ids: string[] = [];
  for (let i = 1; i <= 3; i++) ids.push(await other.publish('a', i));
  const [after, , before] = ids.map(id => Number(id.split('-')[1])) as [number, number, number];
  faulty.sink?.broken(after, before);
  const { stream, data } = open(hub, ids[1]);
  stream.subscribe('a');
  await until(() => data().includes('3'));
  expect(data()[0]).toBe(JSON.stringify({ reason: 'unknown', channels: ['a'] }));
});

describe('after a loss of control messages', () => {
  it('a stream that is opened before they are read again stays open after another loss', async () => {
    const { hub, faulty, unreliable } = unreliableHub();
    const first = open(hub, undefined, { client: 'ann' });
    first.stream.subscribe('a');
    await until(() => first.lastId() !== undefined);
    faulty.hold();
    unreliable.lose();
    await first.stream.closed;
    const { stream, data, lastId } = open(hub, undefined, { client: 'ann' });
    stream.subscribe('a');
    unreliable.lose();
    faulty.release();
    await until(() => lastId() !== undefined);
    await hub.publish('a', 'end');
    await until(() => data().includes('end'));
  });
});

it('a client that a trimmed control message may have named is disconnected if the start of the broker took long', async () => {
  const { hub, other, faulty } = unreliableHub();
  await other.ready();
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  faulty.hold();
  const { stream } = open(hub, undefined, { client: 'ann' });
  stream.subscribe('a');
  await faulty.holding();
  await other.clients.disconnect('ann');
  await Promise.all(Array.from({ length: 1_000 }, () => other.clients.disconnect('bob')));
  vi.advanceTimersByTime(11_000);
  faulty.release();
  expect(await Promise.race([stream.closed, wait(30_000)])).toBe('closed');
});

it('a client that has received everything before its channel was reopened gets no reset from another process', async () => {
  const { hub, other } = unreliableHub();
  const { data, lastId } = await follow(hub, 'a');
  const a = other.channel('a');
  const published = [other.publish('a', 1), a.end(), a.begin()];
  await Promise.all(published);
  await until(() => data().includes('1'));
  await wait(20);
  const again = open(other, lastId());
  again.stream.subscribe('a');
  await wait(20);
  await other.publish('a', 'end');
  await until(() => again.data().includes('end'));
  expect(again.data()).toEqual(['end']);
});

describe('in a new epoch', () => {
  it('a reset of the earlier epoch is replaced by that of the new one', async () => {
    const { hub, other, unreliable } = unreliableHub();
    const { transport, data } = await follow(hub, 'a');
    transport.isFull = true;
    await other.publish('a', 1);
    await until(() => data().includes('1'));
    unreliable.lose(['a']);
    await wait(20);
    await unreliable.restart(new MemoryLog());
    await wait(20);
    transport.drain();
    await until(() => data().length === 2);
    expect(data()).toEqual(['1', JSON.stringify({ reason: 'unknown', channels: ['a'] })]);
  });

  it('the streams of clients are closed, because control messages are lost', async () => {
    const { hub, unreliable } = unreliableHub();
    const { stream, lastId } = open(hub, undefined, { client: 'ann' });
    stream.subscribe('a');
    await until(() => lastId() !== undefined);
    await unreliable.restart(new MemoryLog());
    expect(await Promise.race([stream.closed, wait(30_000)])).toBe('closed');
  });

  it('the streams receive new events', async () => {
    const { hub, unreliable } = unreliableHub();
    const { data } = await follow(hub, 'a');
    const log = new MemoryLog();
    await unreliable.restart(log);
    await until(() => data().length === 1);
    await wait(20);
    const other = hubOf({ broker: log.broker() });
    await other.publish('a', 'end');
    await until(() => data().includes('end'));
  });

  it('the bytes of a channel of the earlier epoch do not count, though its delivery ends in the new one', async () => {
    const { hub, other, unreliable } = unreliableHub({ history: { events: 1 } });
    const streams = [await follow(hub, 'a'), await follow(hub, 'a')];
    const [{ transport }] = streams as [(typeof streams)[0]];
    const write = transport.write.bind(transport);
    let isFirst = true;
    transport.write = frame => {
      if (isFirst) {
        isFirst = false;
        // The other stream is delivered to in another iteration: this one has spent its time budget.
        for (const start = performance.now(); performance.now() - start < 10; );
        void unreliable.restart(new MemoryLog());
      }
      return write(frame);
    };
    await Promise.all([1, 2, 3].map(i => other.publish('a', i)));
    await until(() => !isFirst);
    await wait(20);
    expect(hub.stats().historyBytes).toBe(0);
  });

  it('the position of an event that was published in the earlier epoch does not count', async () => {
    const { hub, other, faulty, unreliable } = unreliableHub();
    for (let i = 1; i <= 20; i++) await other.publish('earlier', i);
    await follow(hub, 'b');
    const log = new MemoryLog();
    faulty.hold();
    const published = hub.publish('a', 1);
    await faulty.holding();
    await unreliable.restart(log);
    faulty.release();
    await published;
    const { data } = await follow(hub, 'a');
    await hubOf({ broker: log.broker() }).publish('a', 'end');
    await until(() => data().includes('end'));
  });

  it('ignores the head of a read that was made in the earlier epoch', async () => {
    const { hub, other, faulty, unreliable } = unreliableHub();
    for (let i = 1; i <= 20; i++) await other.publish('earlier', i);
    const { data } = await follow(hub, 'b');
    const log = new MemoryLog();
    faulty.hold();
    open(hub).stream.subscribe('a');
    await faulty.holding();
    await unreliable.restart(log);
    faulty.release();
    await until(() => data().length === 1);
    await wait(20);
    await hubOf({ broker: log.broker() }).publish('b', 'end');
    await until(() => data().includes('end'));
  });
});
