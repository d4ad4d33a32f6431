import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { follow, open, until, wait } from '../support/memory-stream.ts';
import { unreliableHub } from '../support/unreliable-broker.ts';

// What a hub reads from its broker, and when it reads it again. The pages of this broker have 32 entries.

type Hub = ReturnType<typeof unreliableHub>['hub'];

/** Publishes one event after the other, so that the hub trims between them. */
async function publish(hub: Hub, channel: string, from: number, to: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = from; i <= to; i++) {
    ids.push(await hub.publish(channel, i));
    await wait(1);
  }
  return ids;
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

it('delivers what was read although the broker has not reported that position', async () => {
  const { hub, other, unreliable } = unreliableHub();
  await follow(hub, 'other');
  unreliable.isSilent = true;
  await publish(other, 'a', 1, 3);
  const { stream, data } = open(hub);
  stream.subscribe('a', { from: 'start' });
  await until(() => data().length === 3);
});

it('ends the streams of a channel that has ended before it was read', async () => {
  const { hub, other } = unreliableHub();
  await other.publish('a', 1);
  await other.channel('a').end();
  const { stream, data } = open(hub);
  stream.subscribe('a', { from: 'start' });
  expect(await Promise.race([stream.closed, wait(30_000)])).toBe('ended');
  expect(data()).toEqual(['1']);
});

it('reads a compacted channel again if tombstones are trimmed between two pages', async () => {
  const channels = () => ({ compact: true, history: { age: 50 } });
  const { hub, other, faulty } = unreliableHub({ channels }, { channels });
  await follow(hub, 'other');
  for (const key of numbers(1, 33)) await other.publish('a', key, { key });
  await other.publish('a', '', { key: '33', gone: true });
  faulty.hold();
  const { stream, data } = open(hub);
  stream.subscribe('a');
  await faulty.holding();
  await wait(100);
  faulty.release();
  await until(() => data().length >= 32);
  expect(data()).toEqual(numbers(1, 32));
});

it('reports a loss if events are trimmed between two pages', async () => {
  const { hub, other, faulty } = unreliableHub({ history: { events: 1_000 } }, { history: { events: 40 } });
  await follow(hub, 'other');
  const [id] = await publish(other, 'a', 1, 41);
  faulty.hold();
  const { stream, data } = open(hub, id);
  stream.subscribe('a');
  await faulty.holding();
  await publish(other, 'a', 42, 101);
  faulty.release();
  await until(() => data().includes('101'));
  expect(data()).toEqual([JSON.stringify({ reason: 'history', channels: ['a'] }), ...numbers(42, 101)]);
});

it('reads all older events of an open channel at once, and not for each client that resumes', async () => {
  const { hub, other, faulty } = unreliableHub();
  const ids = await publish(other, 'a', 1, 9);
  await follow(hub, 'a');
  const resume = async (index: number) => {
    const { data } = await follow(hub, 'a', ids[index]);
    await until(() => data().includes('9'));
    expect(data()).toEqual(numbers(index + 2, 9));
    return faulty.calls.filter(call => call === 'open').length;
  };
  const opened = await resume(5);
  expect(await resume(2)).toBe(opened);
});

it('follows a channel that nobody followed for a while when it was read', async () => {
  const { hub, other, faulty } = unreliableHub({ history: { age: 40 } });
  await follow(hub, 'other');
  faulty.hold();
  const first = open(hub);
  first.stream.subscribe('a');
  await faulty.holding();
  first.stream.unsubscribe('a');
  // Channels without streams are dropped about every second.
  await wait(1_500);
  const { stream, data, lastId } = open(hub);
  stream.subscribe('a');
  faulty.release();
  await until(() => lastId() !== undefined);
  await other.publish('a', 'end');
  await until(() => data().includes('end'));
});

it('reads a channel again if newer events were trimmed while it was read', async () => {
  const { hub, other, faulty } = unreliableHub({ history: { events: 3 } });
  await publish(other, 'a', 1, 9);
  await follow(hub, 'other');
  faulty.hold();
  const first = open(hub);
  first.stream.subscribe('a', { from: 'start' });
  await faulty.holding();
  first.stream.unsubscribe('a');
  await publish(other, 'a', 10, 15);
  const { stream, data } = open(hub);
  stream.subscribe('a', { from: 'start' });
  faulty.release();
  await until(() => data().includes('15'));
  expect(data()).toEqual(numbers(1, 15));
});

it('reads tombstones that it has trimmed itself', async () => {
  const channels = (age: number) => () => ({ compact: true, history: { age } });
  const { hub, other } = unreliableHub({ channels: channels(50) }, { channels: channels(60_000) });
  await follow(hub, 'a');
  const id = await other.publish('a', 1, { key: '1' });
  await other.publish('a', 'deleted', { key: '1', gone: true });
  // The clock of a hub has a resolution of about half a second.
  await wait(1_500);
  await publish(other, 'a', 2, 2);
  const { data } = await follow(hub, 'a', id);
  await until(() => data().includes('2'));
  expect(data()).toEqual(['deleted', '2']);
});

it('waits for the position after which the application wants a channel', async () => {
  const { hub, other, unreliable } = unreliableHub();
  await follow(hub, 'a');
  const { stream, data } = await follow(hub, 'other');
  unreliable.isBehind = true;
  const id = await other.publish('a', 'seen');
  await other.publish('a', 'new');
  stream.subscribe('a', { from: { after: id } });
  await until(() => data().length > 0);
  expect(data()).toEqual(['new']);
});

it('waits for what was published before a subscription to the last events', async () => {
  const { hub, unreliable } = unreliableHub();
  await follow(hub, 'a');
  const { stream, data } = await follow(hub, 'other');
  unreliable.isBehind = true;
  await publish(hub, 'a', 1, 3);
  stream.subscribe('a', { from: { last: 1 } });
  await wait(20);
  unreliable.catchUp();
  await until(() => data().includes('3'));
  expect(data()).toEqual(['3']);
});

it('counts the bytes of a channel that nobody follows until its events were delivered', async () => {
  const { hub, other } = unreliableHub({ history: { events: 1, age: 40 } });
  const { stream } = await follow(hub, 'a');
  await follow(hub, 'other');
  await other.publish('a', 0);
  stream.unsubscribe('a');
  await turn();
  await Promise.all([1, 2, 3].map(i => other.publish('a', i)));
  // The sweep is due in the next iteration of the event loop, before the delivery.
  for (const start = performance.now(); performance.now() - start < 2_000; );
  await wait(20);
  expect(hub.stats().historyBytes).toBeGreaterThanOrEqual(0);
});

it('delivers what was read of one channel, while another one is still being read', async () => {
  const { hub, other, unreliable, faulty } = unreliableHub();
  await follow(hub, 'c');
  const id = await hub.position();
  unreliable.isSilent = true;
  for (let i = 0; i < 40; i++) await other.publish('a', i);
  await other.publish('b', 'read');
  faulty.hold();
  open(hub).stream.subscribe(['b', 'a'], { from: 'start' });
  await faulty.holding();
  faulty.release();
  // The second page of `a`.
  faulty.hold();
  await faulty.holding();
  const { data } = await follow(hub, 'b', id);
  await until(() => data().includes('read'));
});
