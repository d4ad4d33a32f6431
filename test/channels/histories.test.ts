import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { follow, open, quietHub, until, wait } from '../support/memory-stream.ts';

/** Runs `action` when the next event is written to a stream. */
function onWrite({ transport }: ReturnType<typeof open>, action: () => void): void {
  const write = transport.write.bind(transport);
  let isFirst = true;
  transport.write = frame => {
    if (isFirst) {
      isFirst = false;
      action();
    }
    return write(frame);
  };
}

const block = (ms: number) => {
  for (const start = performance.now(); performance.now() - start < ms; );
};

describe('what is published during a round of deliveries reaches the streams that it has passed', () => {
  it('before the channel is reopened', async () => {
    const hub = quietHub();
    const first = await follow(hub, 'a');
    const second = await follow(hub, 'a');
    onWrite(second, () => {
      const a = hub.channel('a');
      hub.publish('a', 2);
      a.end();
      a.begin();
      hub.publish('a', 3);
    });
    hub.publish('a', 1);
    await until(() => first.data().includes('3'));
    expect(first.data()).toEqual(['1', '2', '3']);
  });

  it('though a newer event of its key follows', async () => {
    const hub = quietHub({ channels: () => ({ compact: true }) });
    const first = await follow(hub, 'a');
    const second = await follow(hub, 'a');
    onWrite(second, () => {
      hub.publish('a', 2, { key: 'k' });
      hub.publish('a', 3, { key: 'k' });
    });
    hub.publish('a', 1, { key: 'k' });
    await until(() => first.data().includes('3'));
    expect(first.data()).toEqual(['1', '2', '3']);
  });
});

it('what is too old is retained for a stream whose delivery takes several iterations', async () => {
  const hub = quietHub({ history: { age: 1_500, events: 100, bytes: 10 * 1024 * 1024 } });
  const text = 'x'.repeat(70_000);
  for (let i = 1; i <= 6; i++) hub.publish('a', `${i} ${text}`);
  await wait(1);
  const { stream, transport, data } = open(hub);
  const write = transport.write.bind(transport);
  transport.write = frame => {
    block(500);
    return write(frame);
  };
  stream.subscribe('a', { from: 'start' });
  await until(() => data().length >= 6);
  expect(data().map(each => each?.slice(0, 1))).toEqual(['1', '2', '3', '4', '5', '6']);
});

it('a compacted channel retains as many keys as it may after a key was trimmed and published again', async () => {
  const hub = quietHub({ channels: () => ({ compact: true, history: { events: 3 } }) });
  for (const key of ['1', '2', '3', '4', '5', '1']) {
    hub.publish('a', key, { key });
    await wait(1);
  }
  const { data } = await follow(hub, 'a');
  expect(data()).toEqual(['4', '5', '1']);
});

it('a compacted channel sends only the latest event of a key while another channel waits to be flushed', async () => {
  const hub = quietHub({
    channels: name => (name === 'a' ? { compact: true } : { flushInterval: 10_000, history: { age: 400 } }),
  });
  hub.publish('later', 1);
  hub.publish('a', 'first', { key: 'first' });
  hub.publish('a', 'old', { key: 'k' });
  hub.publish('a', 'new', { key: 'k' });
  // The channels are swept about every second.
  await wait(2_500);
  const { data } = await follow(hub, 'a');
  expect(data()).toEqual(['first', 'new']);
});

it('what waits to be flushed is retained, though newer events of another channel were delivered', async () => {
  const hub = quietHub({
    channels: name => (name === 'a' ? { flushInterval: 3_000, history: { events: 1, age: 400 } } : {}),
  });
  const { data } = await follow(hub, 'a');
  for (let i = 1; i <= 3; i++) hub.publish('a', i);
  hub.publish('other', 1);
  // The channels are swept meanwhile.
  await until(() => data().length > 0);
  expect(data()).toEqual(['1', '2', '3']);
});

it('a client that has missed a deleted key, which was trimmed, gets a reset', async () => {
  const hub = quietHub({ channels: () => ({ compact: true, history: { events: 2 } }) });
  const id = await hub.publish('a', 'k', { key: 'k' });
  for (const key of ['k', 'l', 'm']) {
    hub.publish('a', '', { key, gone: true });
    await wait(1);
  }
  const { stream, data } = open(hub, id);
  stream.subscribe('a');
  await until(() => data().length > 0);
  expect(data()[0]).toBe(JSON.stringify({ reason: 'history', channels: ['a'] }));
});

it('the end of a channel does not take the place of an event', async () => {
  const hub = quietHub({ history: { events: 2 } });
  hub.publish('a', 1);
  hub.publish('a', 2);
  hub.channel('a').end();
  await wait(1);
  const { stream, data } = open(hub);
  stream.subscribe('a', { from: 'start' });
  expect(await stream.closed).toBe('ended');
  expect(data()).toEqual(['1', '2']);
});

it('the last events of a channel that was reopened in the same tick are those since then', async () => {
  const hub = quietHub();
  const { stream, data } = await follow(hub, 'other');
  const a = hub.channel('a');
  hub.publish('a', 1);
  a.end();
  a.begin();
  hub.publish('a', 2);
  stream.subscribe('a', { from: { last: 5 } });
  await until(() => data().includes('2'));
  expect(data()).toEqual(['2']);
});

describe('a heartbeat', () => {
  it('has no id while a snapshot is pending', async () => {
    const hub = quietHub({ heartbeat: 20, channels: () => ({ snapshot: () => new Promise(() => {}) }) });
    const { stream, lastId } = open(hub);
    stream.subscribe('a');
    await until(() => lastId() !== undefined);
    await wait(100);
    expect(lastId()).toMatch(/~$/);
  });

  it('has no id if the stream has no subscriptions', async () => {
    const hub = quietHub({ heartbeat: 20 });
    const id = await hub.publish('a', 1);
    await hub.publish('a', 2);
    const { stream, lastId, transport } = open(hub, id);
    stream.subscribe('a');
    stream.unsubscribe('a');
    await until(() => transport.text.includes(':'));
    await wait(100);
    expect(lastId()).toBeUndefined();
  });
});

it('a snapshot that fails after its channel was unsubscribed does not close the stream', async () => {
  let fail = (_: Error) => {};
  const failing = () =>
    new Promise((_, reject) => {
      fail = reject;
    });
  const hub = quietHub({
    channels: name => (name === 'room' ? { snapshot: failing } : {}),
    onError: () => {},
  });
  const { stream, data } = await follow(hub, 'other');
  stream.subscribe('room');
  await wait(10);
  stream.unsubscribe('room');
  fail(new Error('no state'));
  await wait(10);
  hub.publish('other', 'end');
  await until(() => data().includes('end'));
});

it('a stream closes as `error` if its channel was trimmed while its snapshot was pending', async () => {
  let resolve = (_: string) => {};
  const snapshot = () =>
    new Promise<string>(done => {
      resolve = done;
    });
  const errors: unknown[] = [];
  const hub = quietHub({
    history: { events: 1 },
    channels: () => ({ snapshot }),
    onError: error => errors.push(error),
  });
  const { stream, data, lastId } = open(hub);
  stream.subscribe('a');
  await until(() => lastId() !== undefined);
  // More than a channel retains for its streams.
  for (let i = 1; i <= 20; i++) {
    hub.publish('a', 'x'.repeat(1024 * 1024));
    await turn();
  }
  resolve('state');
  expect(await stream.closed).toBe('error');
  expect(String(errors)).toContain('was trimmed before its snapshot was ready');
  expect(data()).toEqual([]);
});

describe('a filter', () => {
  it('that unsubscribes its channel in a backfill ends the backfill', async () => {
    const hub = quietHub();
    for (let i = 1; i <= 3; i++) hub.publish('a', i);
    const { stream, data } = await follow(hub, 'other');
    stream.subscribe('a', {
      from: 'start',
      filter: () => {
        stream.unsubscribe('a');
        return true;
      },
    });
    await until(() => data().length > 0);
    hub.publish('other', 'end');
    await until(() => data().includes('end'));
    expect(data()).toEqual(['1', 'end']);
  });

  it('that subscribes to a channel keeps the stream open when the others have ended', async () => {
    const hub = quietHub();
    const id = await hub.publish('a', 1);
    hub.publish('a', 2);
    hub.channel('a').end();
    const { stream, data, lastId } = open(hub, id);
    stream.subscribe('a', {
      filter: () => {
        stream.subscribe('b');
        return false;
      },
    });
    await until(() => lastId() !== undefined);
    hub.publish('b', 'end');
    await until(() => data().includes('end'));
  });
});
