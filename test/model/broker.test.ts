import {
  type Broker,
  createHub,
  type EventStream,
  type HubOptions,
  type Sink,
  TidingsError,
} from '@tidings/core';
import { afterEach, describe, expect, it } from 'vitest';
import { open, until, wait } from '../support/memory-stream.ts';
import { SharedLog, VirtualBroker } from './shared-log.ts';

const quiet: HubOptions = { heartbeat: false, onError: () => {} };

/** A broker that does what another does, but for some of it. */
function like(broker: Broker, changes: Partial<Broker>): Broker {
  const bound = Object.fromEntries(
    (['start', 'publish', 'open', 'release', 'read', 'head', 'state', 'close'] as const).map(name => [
      name,
      (broker[name] as (...args: never[]) => unknown).bind(broker),
    ]),
  );
  return { ...(bound as unknown as Broker), ...changes };
}

/** Another's broker, whose answers about channels are held back for as long as that is said. */
function gated(broker: Broker, isHeld: boolean) {
  const gate = {
    isHeld,
    calls: 0,
    broker: like(broker, {
      async open(wants) {
        const opened = await broker.open(wants as ReadonlyMap<string, number>);
        gate.calls += 1;
        while (gate.isHeld) await wait(5);
        return opened;
      },
    }),
  };
  return gate;
}

describe('a hub with a broker', () => {
  const hubs: { close: (options: { within: number }) => Promise<void> }[] = [];
  afterEach(async () => {
    for (const hub of hubs.splice(0)) await hub.close({ within: 50 });
  });
  function hubOn(broker: Broker, options: HubOptions = {}) {
    const hub = createHub({ ...quiet, ...options, broker });
    hubs.push(hub);
    return hub;
  }

  it('does nothing until it is used', async () => {
    let started = 0;
    const broker = like(new VirtualBroker(new SharedLog()), {
      start: async () => {
        started += 1;
        throw new Error('not yet');
      },
    });
    const hub = hubOn(broker);
    open(hub);
    await wait(20);
    expect(started).toBe(0);
    open(hub).stream.subscribe('a');
    await until(() => started === 1);
  });

  it('opens the channels of one iteration with one call', async () => {
    const asked: string[][] = [];
    const broker = new VirtualBroker(new SharedLog());
    const hub = hubOn(
      like(broker, {
        open: wants => {
          asked.push([...wants.keys()]);
          return broker.open(wants as ReadonlyMap<string, number>);
        },
      }),
    );
    const streams = Array.from({ length: 50 }, () => open(hub));
    for (const [i, { stream }] of streams.entries()) stream.subscribe(`channel ${i}`);
    await until(() => streams.every(({ transport }) => transport.text.includes('id: ')));
    const ofStreams = asked.map(names => names.filter(name => name.startsWith('channel ')).length);
    expect(ofStreams).toEqual([50]);
    const { stream, transport } = open(hub);
    stream.subscribe('channel 7');
    await until(() => transport.text.includes('id: '));
    expect(asked).toHaveLength(1);
  });

  it('sends events after those that any process published before', async () => {
    const log = new SharedLog();
    const other = hubOn(new VirtualBroker(log));
    const id = await other.publish('a', 'missed');
    await other.publish('a', 'published before');
    const { stream, transport } = open(hubOn(new VirtualBroker(log)), id);
    stream.subscribe('a');
    stream.send('sent');
    await until(() => transport.text.includes('data: sent'));
    expect(transport.text.match(/(?<=data: ).+/g)).toEqual(['published before', 'sent']);
  });

  it('keeps streams open and retries when the broker fails', async () => {
    const errors: string[] = [];
    let failures = 1;
    let letThrough = () => {};
    const gate = new Promise<void>(resolve => {
      letThrough = resolve;
    });
    const broker = new VirtualBroker(new SharedLog());
    const hub = hubOn(
      like(broker, {
        open: async wants => {
          if (failures-- > 0) throw new TidingsError('broker', 'refused');
          await gate;
          return broker.open(wants as ReadonlyMap<string, number>);
        },
      }),
      { onError: (_, { stage }) => errors.push(stage) },
    );
    const { stream, transport } = open(hub);
    stream.subscribe('a');
    // The client is answered meanwhile.
    await until(() => transport.text !== '');
    expect(transport.text).toBe(':\n\n');
    letThrough();
    await hub.publish('a', 'hello');
    await until(() => transport.text.includes('data: hello'));
    expect(errors).toEqual(['broker']);
    expect(stream.signal.aborted).toBe(false);
  });

  it('rejects a late publish with a code that says whether it may be stored', async () => {
    const away = like(new VirtualBroker(new SharedLog()), { start: () => new Promise(() => {}) });
    const lost = like(new VirtualBroker(new SharedLog()), {
      publish: (drafts, deadline) =>
        new Promise(resolve => {
          const error = new TidingsError('maybe-stored', 'no answer');
          deadline.addEventListener('abort', () =>
            resolve({ epoch: 'life1', results: drafts.map(() => error) }),
          );
        }),
    });
    const first = hubOn(away, { publishTimeout: 30 });
    await expect(Promise.all([first.publish('a', 1), first.publish('a', 2)])).rejects.toMatchObject({
      code: 'not-stored',
    });
    const second = hubOn(lost, { publishTimeout: 30 });
    await expect(second.publish('a', 1)).rejects.toMatchObject({ code: 'maybe-stored' });
    const wrong = like(new VirtualBroker(new SharedLog()), {
      publish: async () => {
        throw new Error('out of order');
      },
    });
    await expect(hubOn(wrong).publish('a', 1)).rejects.toMatchObject({ code: 'maybe-stored' });
  });

  it('gives each of several consecutive calls its own deadline', async () => {
    const order: string[] = [];
    const hub = hubOn(
      like(new VirtualBroker(new SharedLog()), {
        publish: async ([draft], deadline) => {
          expect(deadline.aborted).toBe(false);
          if (draft?.data === 'answered') {
            await wait(60);
            return { epoch: 'life1', results: [1] };
          }
          void wait(70).then(() => order.push('had time'));
          await new Promise(resolve => deadline.addEventListener('abort', resolve));
          order.push('late');
          return { epoch: 'life1', results: [new TidingsError('maybe-stored', 'no answer')] };
        },
      }),
      { publishTimeout: 100 },
    );
    for (let round = 0; round < 2; round++) {
      await hub.publish('a', 'answered');
      await expect(hub.publish('a', 'never answered')).rejects.toMatchObject({ code: 'maybe-stored' });
    }
    expect(order).toEqual(['had time', 'late', 'had time', 'late']);
  });

  it('does not store an event after its publish has rejected', async () => {
    const stored: string[] = [];
    const hub = hubOn(
      like(new VirtualBroker(new SharedLog()), {
        publish: async drafts => {
          stored.push(...drafts.map(({ data }) => data));
          await wait(60);
          return { epoch: 'life1', results: drafts.map((_, index) => index + 1) };
        },
      }),
      { publishTimeout: 30 },
    );
    const slow = hub.publish('a', 'slow');
    await until(() => stored.length === 1);
    await expect(hub.publish('a', 'behind')).rejects.toMatchObject({ code: 'not-stored' });
    await slow;
    await hub.publish('a', 'after');
    expect(stored).toEqual(['slow', 'after']);
  });

  it('does not keep the process running once all events are stored', async () => {
    const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;
    const before = timers();
    const hub = hubOn(new VirtualBroker(new SharedLog()));
    await hub.publish('a', 1);
    await new Promise(resolve => setImmediate(resolve));
    expect(timers()).toBe(before);
  });

  it('sends events that arrive during a call with the next one, in order', async () => {
    const batches: number[] = [];
    const broker = new VirtualBroker(new SharedLog());
    const hub = hubOn(
      like(broker, {
        publish: drafts => {
          batches.push(drafts.length);
          return broker.publish(drafts);
        },
      }),
    );
    const first = hub.publish('a', 0);
    await until(() => batches.length === 1);
    const ids = await Promise.all([
      first,
      ...Array.from({ length: 1_200 }, (_, i) => hub.publish('a', i + 1)),
    ]);
    expect(batches).toEqual([1, 500, 500, 200]);
    expect(ids.map(id => Number(id.split('-')[1]))).toEqual(ids.map((_, i) => i + 1));
    const large = 'x'.repeat(100_000);
    await Promise.all([1, 2, 3, 4, 5].map(() => hub.publish('a', large)));
    expect(batches.slice(4)).toEqual([2, 2, 1]);
  });

  it('accepts a publish right after another one has resolved', async () => {
    const hub = hubOn(new VirtualBroker(new SharedLog()));
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push(await hub.publish('a', i));
    expect(ids.map(id => Number(id.split('-')[1]))).toEqual([1, 2, 3, 4, 5]);
  });

  it('applies a result to the epoch that it names', async () => {
    const broker = new VirtualBroker(new SharedLog());
    let isLate = true;
    const hub = hubOn(
      like(broker, {
        publish: async drafts => {
          return isLate ? { epoch: 'life0', results: drafts.map(() => 99) } : broker.publish(drafts);
        },
      }),
    );
    expect(await hub.publish('a', 'of a life that is over')).toBe('life0-99');
    isLate = false;
    const { stream, transport } = open(hub);
    stream.subscribe('a');
    await until(() => transport.text !== '');
    expect(await hub.publish('a', 'hello')).toBe('life1-1');
    await until(() => transport.text.includes('data: hello'));
  });

  it('does not report entries as lost that are trimmed at the broker while they are in transit', async () => {
    const log = new SharedLog();
    const broker = new VirtualBroker(log);
    const hub = hubOn(
      like(broker, {
        open: async wants => {
          const { head, pages } = await broker.open(wants as ReadonlyMap<string, number>);
          // Of `a` everything has left by now that came before the next two positions.
          const late = [...pages].map(([name, page]) => {
            return [name, name === 'a' ? { ...page, trimmedUpTo: head + 2 } : page] as const;
          });
          return { head, pages: new Map(late) };
        },
      }),
      { channels: name => ({ compact: name === 'b' }) },
    );
    const { stream, transport } = open(hub, 'life0-5');
    stream.subscribe(['a', 'b']);
    await until(() => transport.text.includes('event: reset'));
    await hub.publish('b', 'first');
    await until(() => transport.text.includes('data: first'));
  });

  it('refuses more than 16 MiB that wait for it', async () => {
    const hub = hubOn(like(new VirtualBroker(new SharedLog()), { start: () => new Promise(() => {}) }), {
      publishTimeout: 50,
    });
    const results = await Promise.allSettled(
      Array.from({ length: 18 }, () => hub.publish('a', 'x'.repeat(1024 * 1024))),
    );
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect((results[17] as PromiseRejectedResult).reason.message).toContain('queue is full');
    // What is small takes memory as well.
    const small = Promise.allSettled(Array.from({ length: 70_000 }, () => hub.publish('a', '')));
    expect(((await small)[69_999] as PromiseRejectedResult).reason.message).toContain('queue is full');
  });

  it('applies `except` and disconnects a client in every process', async () => {
    const log = new SharedLog();
    const [one, two] = [hubOn(new VirtualBroker(log)), hubOn(new VirtualBroker(log))];
    const ann = open(one, undefined, { client: 'ann' });
    const bob = open(two, undefined, { client: 'bob' });
    for (const { stream } of [ann, bob]) stream.subscribe('a');
    await until(() => [ann, bob].every(({ transport }) => transport.text.includes('id: ')));
    await one.publish('a', 'for bob', { except: 'ann' });
    await two.publish('a', 'for ann', { except: bob.stream });
    await until(() => ann.transport.text.includes('for ann') && bob.transport.text.includes('for bob'));
    expect(ann.transport.text).not.toContain('for bob');
    expect(bob.transport.text).not.toContain('for ann');
    await one.clients.disconnect('bob');
    expect(await bob.stream.closed).toBe('closed');
    expect(ann.stream.signal.aborted).toBe(false);
  });

  it('delivers a history that the broker returns in several pages', async () => {
    const log = new SharedLog({ page: 2 });
    const one = hubOn(new VirtualBroker(log));
    for (let count = 1; count <= 5; count++) await one.publish('a', count);
    const { stream, transport } = open(hubOn(new VirtualBroker(log)));
    stream.subscribe('a', { from: 'start' });
    await until(() => transport.text.includes('data: 5'));
    expect(transport.text.match(/(?<=data: )\d+/g)).toEqual(['1', '2', '3', '4', '5']);
  });

  it('applies a control message of a page even if a newer one arrived before the page', async () => {
    const log = new SharedLog();
    const one = hubOn(new VirtualBroker(log));
    const broker = new VirtualBroker(log);
    let isFirst = true;
    const two = hubOn(
      like(broker, {
        async open(wants) {
          if (isFirst) await one.clients.disconnect('ann');
          const opened = await broker.open(wants as ReadonlyMap<string, number>);
          if (isFirst) await one.clients.disconnect('bob');
          isFirst = false;
          return opened;
        },
      }),
    );
    const [ann, bob] = ['ann', 'bob'].map(client => open(two, undefined, { client }));
    for (const each of [ann, bob]) expect(await each?.stream.closed).toBe('closed');
  });

  it.each<[string, (stream: EventStream) => void]>([
    ['', stream => stream.subscribe('a', { from: 'start' })],
    [', with a snapshot', stream => stream.subscribe('b', { from: 'state' })],
  ])(
    'delivers nothing that follows a control message to a stream that waited for the hub to begin%s',
    async (_, use) => {
      const log = new SharedLog();
      const one = hubOn(new VirtualBroker(log));
      const broker = new VirtualBroker(log);
      let letThrough = () => {};
      const gate = new Promise<void>(resolve => {
        letThrough = resolve;
      });
      const two = hubOn(
        like(broker, {
          async start(sink) {
            await gate;
            return broker.start(sink);
          },
        }),
        { channels: name => (name === 'b' ? { snapshot: () => 'after' } : {}) },
      );
      const id = await one.publish('a', 'before');
      const ann = open(two, undefined, { client: 'ann' });
      use(ann.stream);
      await one.clients.disconnect('ann');
      for (const channel of ['a', 'b']) await one.publish(channel, 'after');
      letThrough();
      expect(await ann.stream.closed).toBe('closed');
      expect(ann.transport.text).not.toContain('after');
      expect(id).not.toBe('');
    },
  );

  it('accepts a position that another process assigned', async () => {
    const log = new SharedLog();
    const behind = new VirtualBroker(log);
    const [one, two] = [hubOn(new VirtualBroker(log)), hubOn(behind)];
    open(two).stream.subscribe('a');
    await wait(20);
    behind.isBehind = true;
    const id = await one.publish('a', 'first');
    expect(await two.position()).toBe(id);
    const { stream, transport } = open(two, id);
    stream.subscribe('a');
    await one.publish('a', 'second');
    await until(() => transport.text.includes('id: '));
    behind.catchUp();
    await until(() => transport.text.includes('data: second'));
    expect(transport.text).not.toContain('reset');
    expect(transport.text).not.toContain('first');
  });

  it('joins fetched and local entries once, even if a tombstone was trimmed meanwhile', async () => {
    const log = new SharedLog();
    const other = hubOn(new VirtualBroker(log));
    const broker = new VirtualBroker(log);
    const gate = gated(broker, false);
    const channels = () => ({ compact: true, history: { age: 40 } });
    const hub = hubOn(gate.broker, { channels });
    const follower = open(hub);
    follower.stream.subscribe('a');
    const first = await other.publish('a', 'first', { key: '1' });
    await other.publish('a', '', { key: '2', gone: true });
    await until(() => follower.transport.text.includes('data: first'));

    broker.isBehind = gate.isHeld = true;
    const ahead = open(hub, await other.publish('a', 'second', { key: '4' }));
    ahead.stream.subscribe('a');
    await wait(20);
    ahead.transport.leave();
    broker.catchUp();
    // Ages are looked at once a second.
    await wait(1_300);
    for (const key of ['third', 'fourth']) await other.publish('a', key, { key });
    await until(() => follower.transport.text.includes('data: fourth'));
    gate.isHeld = false;
    await wait(20);

    const late = open(hub, first);
    late.stream.subscribe('a');
    await until(() => late.transport.text.includes('data: fourth'));
    expect(late.transport.text.match(/(?<=data: ).+/g)?.join(' ')).toBe('second third fourth');
  });

  it.each([false, true])(
    'accepts an id that has not arrived in this process yet (compacted: %s)',
    async compact => {
      const log = new SharedLog();
      const behind = new VirtualBroker(log);
      const options = { channels: () => ({ compact }) };
      const [one, two] = [hubOn(new VirtualBroker(log), options), hubOn(behind, options)];
      const early = open(two);
      early.stream.subscribe('a');
      await until(() => early.transport.text.includes('id: '));
      behind.isBehind = true;
      const id = await one.publish('a', 'first', { key: 'k' });
      const late = open(two, id);
      late.stream.subscribe('a');
      await one.publish('a', 'second', { key: 'k' });
      await until(() => late.transport.text.includes('data: second'));
      expect(late.transport.text).not.toContain('reset');
      expect(late.transport.text).not.toContain('first');
    },
  );

  it('releases channels without subscribers', async () => {
    const shut: string[] = [];
    const broker = new VirtualBroker(new SharedLog());
    const hub = hubOn(like(broker, { release: names => shut.push(...names) }), { history: { age: 40 } });
    const { stream } = open(hub);
    stream.subscribe(['a', 'b']);
    await hub.publish('a', 1);
    await wait(60);
    expect(shut).toEqual([]);
    stream.unsubscribe('a');
    await until(() => shut.length > 0);
    expect(shut).toEqual(['a']);
  });

  it('reads again the entries that arrived and were trimmed while a channel was read without subscribers', async () => {
    const log = new SharedLog();
    const other = hubOn(new VirtualBroker(log));
    const ids = [await other.publish('a', 0)];
    const broker = new VirtualBroker(log);
    const gate = gated(broker, true);
    const hub = hubOn(gate.broker, { history: { events: 1 } });
    const early = open(hub);
    early.stream.subscribe('a');
    await wait(20);
    early.stream.unsubscribe('a');
    for (let i = 1; i <= 5; i++) {
      ids.push(await other.publish('a', i));
      await wait(5);
    }
    gate.isHeld = false;
    const late = open(hub, ids[1]);
    late.stream.subscribe('a');
    await until(() => late.transport.text.includes('data: 5'));
    expect(late.transport.text.match(/(?<=data: ).+/g)?.join(' ')).toBe('2 3 4 5');
  });

  it('keeps a channel that is being read, even without subscribers', async () => {
    const broker = new VirtualBroker(new SharedLog());
    const gate = gated(broker, true);
    const hub = hubOn(gate.broker, { history: { age: 40 } });
    const early = open(hub);
    early.stream.subscribe('a');
    await until(() => gate.calls === 1);
    early.stream.unsubscribe('a');
    await wait(1_500);
    const late = open(hub);
    late.stream.subscribe('a');
    await wait(20);
    gate.isHeld = false;
    await until(() => late.transport.text.includes('id: '));
    await hub.publish('a', 'live');
    await until(() => late.transport.text.includes('data: live'));
  });

  it.each<[string, (stream: EventStream) => void]>([
    ['that follows something', () => {}],
    ['that follows nothing any more', stream => stream.unsubscribe('a')],
  ])('gives a stream %s what was sent to it, and ends it, when all begins anew', async (_, leave) => {
    const log = new SharedLog();
    const hub = hubOn(new VirtualBroker(log));
    for (const end of [false, true]) {
      const { stream, transport } = open(hub);
      stream.subscribe('a');
      await until(() => transport.text.includes('id: '));
      transport.isFull = true;
      for (let i = 0; i < 5; i++) await hub.publish('a', i);
      await wait(10);
      stream.send('sent');
      if (end) stream.close();
      transport.drain();
      leave(stream);
      log.wipe();
      await until(() => transport.text.includes('data: sent'));
      if (end) expect(await stream.closed).toBe('closed');
    }
  });

  it.each([
    ['in the same turn', 0, [1, 3]],
    ['one after the other', 50, [3, 1]],
  ])('reads far enough back for each client, %s', async (_, ms, order) => {
    const log = new SharedLog();
    const other = hubOn(new VirtualBroker(log));
    const ids: string[] = [];
    for (let i = 0; i < 6; i++) ids.push(await other.publish('a', i));
    const hub = hubOn(new VirtualBroker(log));
    const transports = [];
    for (const seen of order) {
      const { stream, transport } = open(hub, ids[seen]);
      stream.subscribe('a');
      transports.push(transport);
      if (ms > 0) await wait(ms);
    }
    for (const transport of transports) await until(() => transport.text.includes('data: 5'));
    const given = transports.map(({ text }) => text.match(/(?<=data: ).+/g)?.join(' '));
    expect(given.sort()).toEqual(['2 3 4 5', '4 5']);
  });

  it('sends 204 to a client that has received all of a channel that ended elsewhere', async () => {
    const log = new SharedLog();
    const other = hubOn(new VirtualBroker(log));
    await other.publish('a', 1);
    const id = await other.channel('a').end();
    const { stream, transport } = open(hubOn(new VirtualBroker(log)), id);
    stream.subscribe('a');
    await until(() => transport.status !== undefined);
    expect(transport.status).toBe(204);
  });

  it('retains the events of a stream while another of its channels is read', async () => {
    const broker = new VirtualBroker(new SharedLog());
    let isHeld = false;
    const openSlowly = async (wants: ReadonlyMap<string, number>) => {
      while (isHeld) await wait(5);
      return broker.open(wants);
    };
    const hub = hubOn(like(broker, { open: openSlowly }), { history: { events: 3 } });
    const { stream, transport } = open(hub);
    stream.subscribe('a');
    await until(() => transport.text.includes('id: '));
    isHeld = true;
    stream.subscribe('b');
    for (let i = 1; i <= 9; i++) {
      await hub.publish('a', i);
      await wait(1);
    }
    isHeld = false;
    await until(() => transport.text.includes('data: 9'));
    expect(transport.text.match(/(?<=data: ).+/g)?.join(' ')).toBe('1 2 3 4 5 6 7 8 9');
  });

  it('reads again the entries that were lost before a stream began', async () => {
    const broker = new VirtualBroker(new SharedLog());
    let sink: Sink | undefined;
    const hub = hubOn(
      like(broker, {
        start: each => {
          sink = each;
          return broker.start(each);
        },
      }),
    );
    for (let i = 1; i <= 3; i++) await hub.publish('a', i);
    const [first, second] = [open(hub), open(hub)];
    // The first is served while the second waits.
    first.transport.open = () => sink?.lost(['a']);
    for (const { stream } of [first, second]) stream.subscribe('a', { from: 'start' });
    await until(() => second.transport.text.includes('id: '));
    await wait(20);
    expect(second.transport.text.match(/(?<=data: )\d/g)?.join(' ')).toBe('1 2 3');
  });

  it('sends a reset to a client with the position of a lost entry', async () => {
    const broker = new VirtualBroker(new SharedLog());
    let sink: Sink | undefined;
    const hub = hubOn(
      like(broker, {
        start: each => {
          sink = each;
          return broker.start(each);
        },
      }),
    );
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push(await hub.publish('a', i));
    sink?.broken(2, 4);
    const resets: boolean[] = [];
    for (const id of ids.slice(1, 4)) {
      const { stream, transport } = open(hub, id);
      stream.subscribe('a');
      await until(() => transport.text.includes('id: '));
      resets.push(transport.text.includes('event: reset'));
    }
    expect(resets).toEqual([false, true, false]);
  });

  it('closes the broker after the last call, and only if it was used', async () => {
    const calls: string[] = [];
    const make = () => {
      const broker = new VirtualBroker(new SharedLog());
      return like(broker, {
        close: async () => {
          calls.push('close');
        },
        publish: async drafts => {
          await wait(30);
          calls.push('published');
          return broker.publish(drafts);
        },
      });
    };
    await createHub({ ...quiet, broker: make() }).close();
    expect(calls).toEqual([]);
    const hub = createHub({ ...quiet, broker: make() });
    const published = hub.publish('a', 1);
    await hub.close();
    expect(calls).toEqual(['published', 'close']);
    await published;
    await expect(hub.publish('a', 1)).rejects.toMatchObject({ code: 'closed' });
  });

  it('closes even if the broker never started', async () => {
    const hub = createHub({
      ...quiet,
      publishTimeout: 20,
      broker: like(new VirtualBroker(new SharedLog()), {
        start: async () => {
          throw new Error('away');
        },
      }),
    });
    const { stream, transport } = open(hub as never);
    stream.subscribe('a');
    await wait(10);
    stream.send('hello');
    await hub.close();
    expect(await stream.closed).toBe('drained');
    expect(transport.text).toContain('data: hello');
  });

  it('marks JSON data for the broker, and publishes control messages as entries of one channel', async () => {
    const log = new SharedLog();
    const hub = hubOn(new VirtualBroker(log));
    await hub.publish('a', '42');
    await hub.publish('a', 42);
    await hub.publish('a', Buffer.from('42'));
    await hub.publish('a', null);
    await hub.channel('a').end();
    const { entries } = log.read('a', 0, 9);
    const next = log.read('a', 3, 9).entries;
    expect([...entries, ...next].map(({ json, data }) => [json, data])).toEqual([
      [false, '42'],
      [true, '42'],
      [false, '42'],
      [true, 'null'],
      [false, ''],
    ]);
    await hub.clients.disconnect('ann');
    expect(log.read('\0control', 0, 9).entries).toMatchObject([
      { kind: 'control', json: true, data: expect.stringContaining('"type":"disconnect","who":"ann"') },
    ]);
    expect(log.channels.get('\0control')?.keep).toEqual({
      events: 1_000,
      bytes: 1024 * 1024,
      age: 600_000,
      compact: false,
    });
  });

  it('refuses a value that is not a broker', () => {
    expect(() => createHub({ broker: {} as Broker })).toThrow(/broker must be a Broker.*redisBroker/);
  });
});
