import { describe, expect, it } from 'vitest';
import { open, until, wait } from '../support/memory-stream.ts';
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

/** A stream of ann, once its client has an id. */
async function follow({ hub }: Served) {
  const opened = open(hub, undefined, { client: 'ann' });
  opened.stream.subscribe('x');
  await until(() => opened.lastId() !== undefined);
  return opened;
}

describe('authorize is called for a channel that is subscribed to', () => {
  it('in the same tick as another one, by a stream that has begun', async () => {
    const served = guarded();
    const opened = await follow(served);
    opened.stream.subscribe('a');
    opened.stream.subscribe('secret');
    await wait(20);
    expect([await dataOf(served, opened), served.asked]).toEqual([['end'], ['x', 'a', 'secret']]);
  });

  it('while the read of another one is repeated, by a stream that has begun', async () => {
    const served = guarded();
    const opened = await follow(served);
    served.faulty.fail('open', 1);
    opened.stream.subscribe('a');
    await served.faulty.rejected();
    opened.stream.subscribe('secret');
    await wait(2_000);
    expect([await dataOf(served, opened), served.asked]).toEqual([['end'], ['x', 'a', 'secret']]);
  });

  it('while the read of another one is repeated, by a stream that has not begun', async () => {
    const served = guarded();
    await follow(served);
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
