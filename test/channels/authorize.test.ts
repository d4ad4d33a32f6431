import { setImmediate as turn } from 'node:timers/promises';
import { type AuthorizeContext, createHub, type Hub, type HubOptions } from '@tidings/core';
import { afterEach, describe, expect, it } from 'vitest';
import { MemoryLog } from '../support/memory-broker.ts';
import { open, until, wait } from '../support/memory-stream.ts';

const hubs: Hub[] = [];
afterEach(() => Promise.all(hubs.splice(0).map(hub => hub.close({ within: 0 }))));

/** Who may follow what. */
class Members {
  readonly allowed = new Set<string>();
  readonly asked: string[] = [];
  /** Set: answers wait for `answer()`. */
  isSlow = false;
  #waiting: (() => void)[] = [];
  readonly errors: unknown[] = [];

  constructor(...allowed: string[]) {
    for (const each of allowed) this.allowed.add(each);
  }

  readonly authorize = (channel: string, { client, phase }: AuthorizeContext): boolean | Promise<boolean> => {
    this.asked.push(`${phase} ${client} ${channel}`);
    const answer = () => this.allowed.has(`${client} ${channel}`);
    if (!this.isSlow) return answer();
    return new Promise(resolve => this.#waiting.push(() => resolve(answer())));
  };

  answer(): void {
    this.isSlow = false;
    for (const answer of this.#waiting.splice(0)) answer();
  }

  hub(options: HubOptions = {}): Hub {
    const onError = (error: unknown) => this.errors.push((error as { code?: unknown }).code ?? error);
    const hub = createHub({
      heartbeat: false,
      recheck: false,
      authorize: this.authorize,
      onError,
      ...options,
    });
    hubs.push(hub);
    return hub;
  }
}

const of = (client: string) => ({ client });
type Opened = ReturnType<typeof open>;
const has = (stream: Opened, data: string) => until(() => stream.data().includes(data));
const revoked = ({ transport }: Opened) =>
  [...transport.text.matchAll(/^event: revoked\ndata: (.+)$/gm)].map(match => JSON.parse(match[1] as string));

describe.each([
  ['without a broker', () => ({})],
  ['with a broker', () => ({ broker: new MemoryLog().broker() })],
])('authorize, %s', (_, brokerOf) => {
  describe.each([
    ['at once', false],
    ['later', true],
  ])('that returns %s', (_, isSlow) => {
    it('allows channels, and reports refused ones', async () => {
      const members = new Members('ann a', 'ann b');
      members.isSlow = isSlow;
      const hub = members.hub(brokerOf());
      const ann = open(hub, undefined, of('ann'));
      ann.stream.subscribe(['a', 'secret', 'b']);
      await until(() => members.asked.length === 3);
      for (const channel of ['a', 'secret', 'b']) await hub.publish(channel, `in ${channel}`);
      members.answer();
      await has(ann, 'in b');
      expect(ann.data().filter(Boolean)).toEqual(['in a', 'in b']);
      expect(ann.transport.text).not.toContain('secret');
      expect(members.errors).toEqual(['not-authorized']);
      expect(members.asked.toSorted()).toEqual([
        'subscribe ann a',
        'subscribe ann b',
        'subscribe ann secret',
      ]);
    });

    it('resumes only allowed channels', async () => {
      const members = new Members('bob a');
      members.isSlow = isSlow;
      const hub = members.hub(brokerOf());
      const id = await hub.publish('a', 'seen');
      await hub.publish('secret', 'of ann');
      await hub.publish('a', 'missed');
      const bob = open(hub, id, of('bob'));
      bob.stream.subscribe(['a', 'secret']);
      await until(() => members.asked.length === 2);
      members.answer();
      await has(bob, 'missed');
      expect(bob.data()).toEqual(['missed']);
    });

    it.each(['%', '0-7', '%~', '%.', 'end.', 'nonsense', '%9999'])(
      'does not name a refused channel to a client with the id %s',
      async form => {
        const members = new Members('bob a');
        members.isSlow = isSlow;
        const hub = members.hub(brokerOf());
        await hub.publish('a', 'first');
        const id = await hub.publish('secret', 'of ann');
        await hub.channel('secret').end();
        const bob = open(hub, form.replace('%', id), of('bob'));
        bob.stream.subscribe(['a', 'secret'], { from: 'start' });
        await until(() => members.asked.length === 2);
        members.answer();
        await until(() => bob.transport.status !== undefined);
        await hub.publish('a', 'end');
        await has(bob, 'end');
        expect(bob.transport.text).not.toMatch(/secret|of ann/);
      },
    );

    it('ends a stream if it refuses all of its channels, with the end marker', async () => {
      const members = new Members();
      members.isSlow = isSlow;
      const hub = members.hub(brokerOf());
      const ann = open(hub, undefined, of('ann'));
      ann.stream.subscribe(['a', 'b']);
      await until(() => members.asked.length === 2);
      members.answer();
      expect(await ann.stream.closed).toBe('ended');
      expect(ann.transport.status).toBe(200);
      expect(revoked(ann)).toEqual([{ channels: ['a', 'b'] }]);
      expect(ann.lastId()).toBe('end.');
      members.isSlow = isSlow;
      const again = open(hub, 'end.', of('ann'));
      again.stream.subscribe(['a', 'b']);
      await until(() => members.asked.length === 4);
      members.answer();
      expect(await again.stream.closed).toBe('ended');
      expect(again.transport.status).toBe(204);
    });

    it('is called for channels that are subscribed later', async () => {
      const members = new Members('ann a', 'ann b');
      const hub = members.hub(brokerOf());
      const ann = open(hub, undefined, of('ann'));
      ann.stream.subscribe('a');
      await hub.publish('a', 'start');
      await has(ann, 'start');
      members.isSlow = isSlow;
      ann.stream.subscribe(['b', 'secret']);
      for (const channel of ['secret', 'b', 'a']) await hub.publish(channel, `in ${channel}`);
      await until(() => members.asked.length === 3);
      members.answer();
      await has(ann, 'in a');
      expect(ann.data()).toEqual(['start', 'in b', 'in a']);
      expect(members.errors).toEqual(['not-authorized']);
      expect(revoked(ann)).toEqual([]);
    });

    it('revokes a channel at a recheck', async () => {
      const members = new Members('ann a', 'ann b');
      const hub = members.hub(brokerOf());
      const ann = open(hub, undefined, of('ann'));
      ann.stream.subscribe(['a', 'b']);
      await hub.publish('a', 'start');
      await has(ann, 'start');
      members.allowed.delete('ann b');
      members.isSlow = isSlow;
      await hub.clients.recheck('ann');
      await hub.publish('b', 'after');
      await until(() => members.asked.length === 4);
      members.answer();
      await hub.publish('a', 'end');
      await has(ann, 'end');
      expect(revoked(ann)).toEqual([{ channels: ['b'] }]);
      expect(ann.transport.text).not.toContain('after');
      expect(ann.transport.text).toMatch(/\n\nevent: revoked\n/);
      expect(members.asked.slice(2).toSorted()).toEqual(['recheck ann a', 'recheck ann b']);
    });

    it('delivers the events that waited for it once and in order', async () => {
      const members = new Members('ann a', 'ann b');
      const hub = members.hub(brokerOf());
      const ann = open(hub, undefined, of('ann'));
      ann.stream.subscribe('a');
      ann.stream.subscribe('b');
      await hub.publish('a', 'start');
      await has(ann, 'start');
      members.isSlow = isSlow;
      await hub.clients.recheck('ann');
      await hub.publish('a', 'one');
      ann.stream.send('two');
      await hub.publish('b', 'three');
      await until(() => members.asked.length === 4);
      members.answer();
      await hub.publish('a', 'end');
      await has(ann, 'end');
      expect(ann.data()).toEqual(['start', 'one', 'two', 'three', 'end']);
      expect(ann.transport.text).not.toContain('~');
    });

    it('ends a stream when it revokes the last channel, unless the stream has sent events of its own', async () => {
      const members = new Members('ann a');
      const hub = members.hub(brokerOf());
      const [one, other] = [open(hub, undefined, of('ann')), open(hub, undefined, of('ann'))];
      other.stream.send('hello');
      for (const { stream } of [one, other]) stream.subscribe('a');
      await hub.publish('a', 'start');
      await Promise.all([has(one, 'start'), has(other, 'start')]);
      members.allowed.clear();
      members.isSlow = isSlow;
      await hub.clients.recheck('ann');
      await until(() => members.asked.length === 4);
      members.answer();
      expect(await one.stream.closed).toBe('ended');
      expect(one.lastId()).toBe('end.');
      await until(() => revoked(other).length === 1);
      expect(other.stream.signal.aborted).toBe(false);
      other.stream.send('bye');
      await has(other, 'bye');
    });
  });

  it('refuses when it throws, rejects, returns another value, or does not settle in time', async () => {
    const failure = new Error('no database');
    const answers: Record<string, () => unknown> = {
      throws: () => {
        throw failure;
      },
      rejects: () => Promise.reject(failure),
      object: () => ({}),
      slow: () => new Promise(() => {}),
    };
    const members = new Members();
    const authorize = (channel: string) => (answers[channel]?.() ?? true) as boolean;
    const hub = members.hub({ ...brokerOf(), authorize, authorizeTimeout: 50 });
    const ann = open(hub, undefined, of('ann'));
    ann.stream.subscribe([...Object.keys(answers), 'a']);
    await until(() => ann.transport.status !== undefined);
    for (const channel of [...Object.keys(answers), 'a']) await hub.publish(channel, `in ${channel}`);
    await has(ann, 'in a');
    expect(ann.data()).toEqual(['in a']);
    expect(members.errors.filter(error => error === failure)).toHaveLength(2);
    // Each is refused, and one has not answered.
    expect(members.errors.filter(error => error === 'not-authorized')).toHaveLength(5);
  });

  it('is called again in its interval, for each stream and channel', async () => {
    const members = new Members('ann a', 'ann b', 'bob a');
    const hub = members.hub({ ...brokerOf(), recheck: 100 });
    const [ann, bob] = [open(hub, undefined, of('ann')), open(hub, undefined, of('bob'))];
    ann.stream.subscribe(['a', 'b']);
    bob.stream.subscribe('a');
    await hub.publish('a', 'start');
    await Promise.all([has(ann, 'start'), has(bob, 'start')]);
    await until(() => members.asked.length >= 9);
    members.allowed.delete('bob a');
    expect(await bob.stream.closed).toBe('ended');
    expect(new Set(members.asked)).toEqual(
      new Set(
        ['subscribe', 'recheck'].flatMap(phase => [`${phase} ann a`, `${phase} ann b`, `${phase} bob a`]),
      ),
    );
  });

  it('sends no revoked event to a stream without markers', async () => {
    const members = new Members('ann a', 'ann b');
    const hub = members.hub(brokerOf());
    const ann = open(hub, undefined, { client: 'ann', markers: false });
    ann.stream.subscribe(['a', 'b']);
    await hub.publish('a', 'start');
    await has(ann, 'start');
    members.allowed.delete('ann b');
    await hub.clients.recheck('ann');
    await hub.publish('a', 'next');
    await has(ann, 'next');
    members.allowed.clear();
    await hub.clients.recheck('ann');
    expect(await ann.stream.closed).toBe('ended');
    expect(ann.data()).toEqual(['start', 'next']);
    expect(ann.transport.text).not.toMatch(/event:/);
  });
});

describe('authorize', () => {
  it('delays only the channel that is rechecked, from its first event on', async () => {
    const waiting: ((isAllowed: boolean) => void)[] = [];
    let isSlow = false;
    const members = new Members();
    const hub = members.hub({
      authorize: channel => {
        if (!isSlow || channel !== 'b') return true;
        return new Promise(resolve => waiting.push(resolve));
      },
    });
    const ann = open(hub, undefined, of('ann'));
    ann.stream.subscribe(['a', 'b']);
    await hub.publish('a', 'start');
    await has(ann, 'start');
    isSlow = true;
    await hub.clients.recheck('ann');
    await until(() => waiting.length === 1);
    await hub.publish('a', 'before');
    await has(ann, 'before');
    await hub.publish('b', 'held');
    await hub.publish('a', 'after');
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(ann.data()).toEqual(['start', 'before']);
    waiting[0]?.(true);
    await has(ann, 'after');
    expect(ann.data()).toEqual(['start', 'before', 'held', 'after']);
  });

  it('delays the snapshot of a channel that is rechecked, and sends none of a channel that it revokes', async () => {
    const members = new Members('ann a', 'ann b');
    let give: ((state: string) => void) | undefined;
    const snapshot = () => new Promise(resolve => (give = resolve));
    const hub = members.hub({ channels: name => (name === 'b' ? { snapshot } : {}) });
    const ann = open(hub, undefined, of('ann'));
    ann.stream.subscribe('a');
    await hub.publish('a', 'start');
    await has(ann, 'start');
    ann.stream.subscribe('b');
    await until(() => give !== undefined);
    members.isSlow = true;
    members.allowed.delete('ann b');
    await hub.clients.recheck('ann');
    await until(() => members.asked.length === 4);
    give?.('secret');
    for (let turns = 0; turns < 20; turns++) await turn();
    members.answer();
    await hub.publish('a', 'end');
    await has(ann, 'end');
    expect(revoked(ann)).toEqual([{ channels: ['b'] }]);
    expect(ann.transport.text).not.toContain('secret');
  });

  it('uses only the result of the latest call', async () => {
    const waiting: ((isAllowed: boolean) => void)[] = [];
    const members = new Members();
    const hub = members.hub({ authorize: () => new Promise(resolve => waiting.push(resolve)) });
    const ann = open(hub, undefined, of('ann'));
    ann.stream.subscribe('a');
    await until(() => waiting.length === 1);
    await hub.clients.recheck('ann');
    await until(() => waiting.length === 2);
    waiting[0]?.(true);
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(ann.transport.status).toBeUndefined();
    waiting[1]?.(false);
    expect(await ann.stream.closed).toBe('ended');
  });

  it('allows a stream to close during a recheck, with an id before the delayed events', async () => {
    const members = new Members('ann a');
    const hub = members.hub();
    const ann = open(hub, undefined, of('ann'));
    ann.stream.subscribe('a');
    const id = await hub.publish('a', 'start');
    await has(ann, 'start');
    members.isSlow = true;
    await hub.clients.recheck('ann');
    await hub.publish('a', 'held');
    ann.stream.close();
    expect(await ann.stream.closed).toBe('closed');
    expect(ann.data()).toEqual(['start']);
    expect(ann.lastId()).toBe(id);
  });

  it('is called by each process for its own streams', async () => {
    const log = new MemoryLog();
    const members = new Members('ann a', 'bob a');
    const [one, two] = [members.hub({ broker: log.broker() }), members.hub({ broker: log.broker() })];
    const [ann, bob] = [open(two, undefined, of('ann')), open(two, undefined, of('bob'))];
    for (const { stream } of [ann, bob]) stream.subscribe('a');
    await one.publish('a', 'start');
    await Promise.all([has(ann, 'start'), has(bob, 'start')]);
    members.allowed.delete('ann a');
    await one.clients.recheck('ann');
    await one.publish('a', 'end');
    await has(bob, 'end');
    expect(await ann.stream.closed).toBe('ended');
    expect(ann.data()).not.toContain('end');
    await one.clients.subscribe('bob', 'b');
    await one.publish('b', 'secret');
    await one.publish('a', 'last');
    await has(bob, 'last');
    expect(bob.data()).toEqual(['start', 'end', 'last']);
    expect(members.asked).toContain('subscribe bob b');
  });

  it.each([
    ['at once', false],
    ['later', true],
  ])('that returns %s, is called for a bounded number of channels in one iteration', async (_, isSlow) => {
    let calls = 0;
    let most = 0;
    let answered = 0;
    const hub = new Members().hub({
      authorize: (_, { phase }) => {
        if (phase === 'subscribe') return true;
        calls += 1;
        if (!isSlow) return true;
        // All of them in one microtask queue.
        return gate.then(() => {
          answered += 1;
          return true;
        });
      },
    });
    let openGate: () => void = () => {};
    const gate = new Promise<void>(resolve => {
      openGate = resolve;
    });
    const streams = Array.from({ length: 1_000 }, () => open(hub, undefined, of('ann')));
    for (const { stream } of streams) stream.subscribe(['a', 'b']);
    await until(() => streams.every(({ transport }) => transport.status === 200));
    await hub.clients.recheck('ann');
    const id = await hub.publish('a', 'after');
    while (calls < 2_000) {
      const before = calls;
      await turn();
      most = Math.max(most, calls - before);
      // Nothing is delivered before the answers.
      if (isSlow) expect(streams[999]?.transport.text).not.toContain('after');
    }
    expect(most).toBeLessThanOrEqual(64);
    openGate();
    await until(() => streams.every(({ transport }) => transport.text.includes('after')));
    expect(answered).toBe(isSlow ? 2_000 : 0);
    expect(streams.every(stream => stream.lastId() === id)).toBe(true);
  });

  it('is not called when an event is delivered, and all streams share its frame', async () => {
    const members = new Members('ann a', 'bob a');
    const hub = members.hub();
    const frames = new Set<unknown>();
    const streams = ['ann', 'bob'].map(client => open(hub, undefined, of(client)));
    for (const { stream, transport } of streams) {
      const { write } = transport;
      transport.write = frame => {
        if (frame.events > 0) frames.add(frame);
        return write.call(transport, frame);
      };
      stream.subscribe('a');
    }
    await until(() => members.asked.length === 2);
    await until(() => streams.every(({ transport }) => transport.status === 200));
    for (const data of ['one', 'two', 'three']) {
      await hub.publish('a', data);
      await Promise.all(streams.map(stream => has(stream, data)));
    }
    expect(members.asked).toHaveLength(2);
    expect(frames.size).toBe(3);
  });

  it('receives the data of the stream', async () => {
    interface User {
      readonly rooms: string[];
    }
    const hub = createHub<Record<string, Record<string, unknown>>, User>({
      heartbeat: false,
      authorize: (channel, { data }) => data.rooms.includes(channel),
      onError: () => {},
      observer: { opened: stream => seen.push(...stream.data.rooms) },
    });
    const seen: string[] = [];
    hubs.push(hub as Hub);
    const ann = open(hub as Hub, undefined, { client: 'ann', data: { rooms: ['a'] } });
    ann.stream.subscribe(['a', 'b'], {
      filter: ({ data }, stream) => data !== 'filtered' && stream.data === ann.stream.data,
    });
    await until(() => ann.transport.status !== undefined);
    for (const data of ['filtered', 'one'])
      for (const channel of ['b', 'a']) await hub.publish(channel, data);
    await has(ann, 'one');
    expect(ann.data()).toEqual(['one']);
    expect(seen).toEqual(['a']);
  });
});

describe('a stream of which a channel is asked for again', () => {
  /** A stream of ann, once its client has an id. The next answers wait. */
  async function follow(hub: Hub, members: Members, channels: string[]) {
    const ann = open(hub, undefined, of('ann'));
    ann.stream.subscribe(channels);
    await until(() => ann.lastId() !== undefined);
    members.isSlow = true;
    return ann;
  }

  it('receives what the channel does not retain any more', async () => {
    const members = new Members('ann a');
    const hub = members.hub({ history: { events: 3 } });
    const ann = await follow(hub, members, ['a']);
    await hub.clients.recheck('ann');
    for (let i = 1; i <= 9; i++) {
      await hub.publish('a', i);
      await wait(1);
    }
    members.answer();
    await has(ann, '9');
    expect(ann.data().filter(Boolean)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9']);
  });

  it('receives nothing of a backfill before the answer', async () => {
    const members = new Members('ann a', 'ann b');
    const hub = members.hub();
    for (const i of [1, 2, 3]) await hub.publish('a', i);
    const ann = await follow(hub, members, ['b']);
    members.isSlow = false;
    ann.transport.isFull = true;
    ann.stream.subscribe('a', { from: 'start' });
    await until(() => ann.lastId()?.endsWith('~') === true);
    members.isSlow = true;
    await hub.clients.recheck('ann');
    ann.transport.drain();
    await wait(20);
    expect(ann.data().filter(Boolean)).toEqual([]);
    members.allowed.delete('ann a');
    members.answer();
    await until(() => revoked(ann).length > 0);
    await hub.publish('b', 'end');
    await has(ann, 'end');
    expect(ann.data()).not.toContain('1');
  });

  it('has not caught up before the answer, though what comes before is not for it', async () => {
    const members = new Members('ann a');
    const caughtUp: number[] = [];
    const hub = members.hub({
      authorize: (channel, context) => channel === 'b' || members.authorize(channel, context),
      observer: { caughtUp: (_, { events }) => void caughtUp.push(events) },
    });
    const id = await hub.publish('a', 0);
    await hub.publish('b', 1, { except: 'ann' });
    await hub.publish('a', 2);
    const ann = open(hub, id, of('ann'));
    ann.transport.isFull = true;
    ann.stream.subscribe(['a', 'b']);
    await until(() => ann.transport.text !== '');
    members.isSlow = true;
    await hub.clients.recheck('ann');
    ann.transport.drain();
    await wait(20);
    expect(caughtUp).toEqual([]);
    members.answer();
    await has(ann, '2');
    await until(() => caughtUp.length > 0);
    expect(caughtUp).toEqual([1]);
  });
});
