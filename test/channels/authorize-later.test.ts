import type { HubOptions } from '@tidings/core';
import { describe, expect, it } from 'vitest';
import { follow, open, until, wait } from '../support/memory-stream.ts';
import { hubOf, unreliableHub } from '../support/unreliable-broker.ts';

/** A hub whose clients may follow every channel but `secret`, and for which channels it was asked. */
function guarded() {
  const asked: string[] = [];
  const authorize = (channel: string) => {
    asked.push(channel);
    return channel !== 'secret';
  };
  return { asked, ...unreliableHub({ authorize, recheck: false }) };
}

type Served = Pick<ReturnType<typeof guarded>, 'hub'>;
type Opened = ReturnType<typeof open>;

async function dataOf({ hub }: Served, opened: Opened) {
  await until(() => opened.lastId() !== undefined);
  await wait(50);
  await hub.publish('secret', 'secret');
  await hub.publish('a', 'end');
  await until(() => opened.data().includes('end'));
  return opened.data();
}

/** Answers for `secret` and `open` at once, and for every other channel when the test does. */
function answeringLater() {
  const asked: string[] = [];
  const answers: ((isAllowed: boolean) => void)[] = [];
  const authorize = (channel: string) => {
    asked.push(channel);
    if (channel === 'secret' || channel === 'open') return channel === 'open';
    return new Promise<boolean>(resolve => answers.push(resolve));
  };
  return { asked, answers, options: { authorize, recheck: false } satisfies HubOptions };
}

describe('authorize is called for a channel that is subscribed to', () => {
  it('in the same tick as another one, by a stream that has begun', async () => {
    const served = guarded();
    const opened = await follow(served.hub, 'x', undefined, { client: 'ann' });
    opened.stream.subscribe('a');
    opened.stream.subscribe('secret');
    await wait(20);
    expect([await dataOf(served, opened), served.asked]).toEqual([['end'], ['x', 'a', 'secret']]);
  });

  it('while the read of another one is repeated, by a stream that has begun', async () => {
    const served = guarded();
    const opened = await follow(served.hub, 'x', undefined, { client: 'ann' });
    served.faulty.fail('open', 1);
    opened.stream.subscribe('a');
    await served.faulty.rejected();
    opened.stream.subscribe('secret');
    await until(() => served.asked.includes('secret'));
    expect([await dataOf(served, opened), served.asked]).toEqual([['end'], ['x', 'a', 'secret']]);
  });

  it('while the read of another one is repeated, by a stream that has not begun', async () => {
    const served = guarded();
    await follow(served.hub, 'x', undefined, { client: 'ann' });
    served.faulty.fail('open', 1);
    const opened = open(served.hub, undefined, { client: 'ann' });
    opened.stream.subscribe('a');
    await served.faulty.rejected();
    opened.stream.subscribe('secret');
    expect([await dataOf(served, opened), served.asked]).toEqual([['end'], ['x', 'a', 'secret']]);
  });

  it('by `authorize` itself, without a broker', async () => {
    const asked: string[] = [];
    const hub = hubOf({
      authorize: channel => {
        asked.push(channel);
        if (channel === 'a') opened.stream.subscribe('secret');
        return channel !== 'secret';
      },
    });
    const opened = open(hub, undefined, { client: 'ann' });
    opened.stream.subscribe('a');
    expect([await dataOf({ hub }, opened), asked]).toEqual([['end'], ['a', 'secret']]);
  });
});

describe('a channel that is subscribed to by the snapshot of another one', () => {
  it('is read from the broker', async () => {
    const snapshot = () => {
      opened.stream.subscribe('b');
      return 'state';
    };
    const { hub } = unreliableHub({ channels: name => (name === 'a' ? { snapshot } : {}) });
    const opened = open(hub);
    opened.stream.subscribe('a');
    await until(() => opened.data().includes('state'));
    await wait(20);
    await hub.publish('b', 'new');
    await hub.publish('a', 'end');
    await until(() => opened.data().includes('end'));
    expect(opened.data()).toEqual(['state', 'new', 'end']);
  });

  it('begins with what is new, without a broker', async () => {
    const snapshot = () => {
      opened.stream.subscribe('b');
      return 'state';
    };
    const hub = hubOf({ channels: name => (name === 'a' ? { snapshot } : {}) });
    await hub.publish('b', 'old');
    const opened = open(hub);
    opened.stream.subscribe('a');
    await until(() => opened.data().includes('state'));
    await hub.publish('b', 'new');
    await until(() => opened.data().includes('new'));
    expect(opened.data()).toEqual(['state', 'new']);
  });
});

const setups = {
  'with a broker': (options: HubOptions) => unreliableHub(options).hub,
  'without a broker': hubOf,
};

describe.each(Object.entries(setups))('%s,', (_, hubWith) => {
  it('nothing is delivered before authorize is called for what a snapshot subscribes to', async () => {
    const hub = hubWith({
      authorize: channel => channel !== 'secret',
      recheck: false,
      channels: name => {
        if (name === 'sends') return { snapshot: () => String(opened.stream.send('sent')) };
        if (name !== 'subscribes') return {};
        const snapshot = () => {
          opened.stream.subscribe('secret');
          void hub.publish('secret', 'secret');
          return 'state';
        };
        return { snapshot };
      },
    });
    const opened = open(hub, undefined, { client: 'ann' });
    opened.stream.subscribe('subscribes').subscribe('sends', { from: 'state' });
    await until(() => opened.lastId() !== undefined);
    await hub.publish('sends', 'end');
    await until(() => opened.data().includes('end'));
    expect(opened.data()).toContain('sent');
    expect(opened.data()).not.toContain('secret');
  });

  describe.each(['that has not begun', 'that has begun'])('a stream %s,', phase => {
    /** A stream that waits for the answer about `a`. */
    async function waiting() {
      const { asked, answers, options } = answeringLater();
      const hub = hubWith(options);
      const opened = open(hub, undefined, { client: 'ann' });
      if (phase === 'that has begun') {
        opened.stream.subscribe('open');
        await until(() => opened.lastId() !== undefined);
      }
      opened.stream.subscribe('a');
      await until(() => answers.length === 1);
      return { hub, ...opened, asked, answers };
    }

    it('continues with other channels if it unsubscribes the one that it waits for', async () => {
      const { hub, stream, data, lastId, answers } = await waiting();
      stream.subscribe('open');
      stream.subscribe('secret');
      stream.unsubscribe('a');
      answers[0]?.(true);
      await until(() => lastId() !== undefined);
      await hub.publish('secret', 'secret');
      await hub.publish('a', 'unsubscribed');
      await hub.publish('open', 'end');
      await until(() => data().includes('end'));
      expect(data()).toEqual(['end']);
    });

    it('is asked for again, and continues, if it subscribes again to the channel that it waits for', async () => {
      const { hub, stream, data, lastId, asked, answers } = await waiting();
      stream.subscribe('a', { from: 'now' });
      await until(() => answers.length === 2);
      answers[0]?.(false);
      answers[1]?.(true);
      await until(() => lastId() !== undefined);
      await wait(20);
      await hub.publish('a', 'end');
      await until(() => data().includes('end'));
      expect(asked.filter(channel => channel === 'a')).toHaveLength(2);
    });

    it('ends if it unsubscribes the channel that it waits for, and is closed', async () => {
      const { stream } = await waiting();
      stream.unsubscribe('a');
      stream.close();
      expect(await Promise.race([stream.closed, wait(30_000)])).toBe('closed');
    });
  });

  it('a client that has received the end receives a channel that onError subscribes to for a refused one', async () => {
    let subscribe = () => {};
    const hub = hubWith({
      authorize: channel => channel !== 'secret',
      recheck: false,
      onError: () => subscribe(),
    });
    const first = open(hub, undefined, { client: 'ann' });
    first.stream.subscribe('secret');
    await until(() => first.lastId() !== undefined);
    const { stream, data, transport } = open(hub, first.lastId(), { client: 'ann' });
    subscribe = () => void stream.subscribe('open');
    stream.subscribe('secret');
    await until(() => transport.status !== undefined);
    expect(transport.status).toBe(200);
    await wait(20);
    await hub.publish('open', 'end');
    await until(() => data().includes('end'));
  });
});
