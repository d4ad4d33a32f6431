import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/client.ts';
import { FaultyBroker, MemoryLog } from '../../../test/support/memory-broker.ts';
import { TidingsError } from '../src/base/errors.ts';
import { createHub } from '../src/hub/create-hub.ts';
import type { Hub } from '../src/hub/hub.ts';
import type { HubOptions } from '../src/hub/options/options.ts';
import { MemoryTransport } from './memory-transport.ts';

function start(options: HubOptions = {}) {
  const errors: [stage: string, channel: string | undefined, message: string][] = [];
  const hub = createHub({
    heartbeat: false,
    onError: (error, { stage, channel }) => errors.push([stage, channel, String(error)]),
    ...options,
  });
  return { hub, errors };
}

/** What a page that follows the channel from its start receives: names and data, without markers. */
function follow(hub: Hub, channel = 'job') {
  const transport = new MemoryTransport();
  const stream = hub.open(transport, { method: 'GET', url: '/' });
  stream.subscribe(channel, { from: 'start' });
  return {
    closed: stream.closed,
    get events() {
      return transport.text
        .split('\n\n')
        .filter(block => /^data:/m.test(block) && !/^event: tidings$/m.test(block))
        .map(block => {
          return block
            .split('\n')
            .filter(line => /^(event|data):/.test(line))
            .map(line => line.replace(/^\w+: ?/, ''))
            .join(' ');
        });
    },
  };
}

/** A source that gives numbers until it is cancelled. */
function endless() {
  const state = { given: 0, isCancelled: false };
  async function* count() {
    try {
      for (;;) {
        state.given += 1;
        yield state.given;
        await turn();
      }
    } finally {
      state.isCancelled = true;
    }
  }
  return { state, count };
}

describe('channel.from()', () => {
  it('publishes each item, and ends the channel', async () => {
    const { hub, errors } = start();
    const page = follow(hub);
    const items = [{ text: 'a' }, { text: '' }, { text: 'b' }];
    const isComplete = await hub.channel('job').from(items, {
      event: ({ text }) => `is-${text}`,
      map: ({ text }) => text || undefined,
    });
    expect(isComplete).toBe(true);
    expect(await page.closed).toBe('ended');
    expect(page.events).toEqual(['is-a a', 'is-b b']);
    expect(await hub.channel('job').state()).toBe('ended');
    expect(errors).toEqual([]);
  });

  it('leaves the channel open with `end: false`', async () => {
    const { hub } = start();
    expect(await hub.channel('job').from(['a'], { end: false })).toBe(true);
    expect(await hub.channel('job').state()).toBe('open');
  });

  it('cancels the source when its signal is aborted, and ends the channel', async () => {
    const { hub, errors } = start();
    const page = follow(hub);
    const { state, count } = endless();
    const controller = new AbortController();
    const produced = hub.channel('job').from(count, { signal: controller.signal });
    await eventually(() => state.given > 2);
    controller.abort();
    expect(await produced).toBe(false);
    expect(await page.closed).toBe('ended');
    await eventually(() => state.isCancelled);
    expect(page.events.at(-1)).toBe(String(page.events.length));
    expect(errors).toEqual([]);
  });

  it('does not open a source whose signal is already aborted', async () => {
    const { hub } = start();
    let isOpened = false;
    const source = () => {
      isOpened = true;
      return ['a'];
    };
    expect(await hub.channel('job').from(source, { signal: AbortSignal.abort() })).toBe(false);
    expect(isOpened).toBe(false);
  });

  it('passes the source a signal', async () => {
    const { hub } = start();
    let given: AbortSignal | undefined;
    const produced = hub.channel('job').from(signal => {
      given = signal;
      return new Promise<never>(() => {});
    });
    await eventually(() => given !== undefined);
    expect(given?.aborted).toBe(false);
    await hub.channel('job').stop();
    expect(await produced).toBe(false);
    expect(given?.aborted).toBe(true);
  });

  it('reports a source that fails, and ends the channel', async () => {
    const { hub, errors } = start();
    async function* source() {
      yield 'a';
      throw new Error('broken off');
    }
    expect(await hub.channel('job').from(source())).toBe(false);
    expect(errors).toEqual([['source', 'job', 'Error: broken off']]);
    expect(await hub.channel('job').state()).toBe('ended');
  });

  it('cancels the source when the channel is ended elsewhere', async () => {
    const { hub, errors } = start();
    const { state, count } = endless();
    const produced = hub.channel('job').from(count());
    await eventually(() => state.given > 2);
    await hub.channel('job').end();
    expect(await produced).toBe(false);
    await eventually(() => state.isCancelled);
    expect(errors.map(([stage, channel]) => [stage, channel])).toEqual([['publish', 'job']]);
  });

  it('reports an item that cannot be sent once, and cancels the source', async () => {
    const { hub, errors } = start();
    expect(await hub.channel('job').from([() => {}])).toBe(false);
    expect(errors.map(([stage]) => stage)).toEqual(['publish']);
  });

  it.each([
    ['signal', { signal: {} }],
    ['map', { map: 'text' }],
    ['event', { event: 7 }],
    ['end', { end: 'no' }],
  ])('refuses invalid options: %s', (name, options) => {
    const { hub } = start();
    // @ts-expect-error none of them is typed
    expect(() => hub.channel('job').from([], options)).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    );
    // @ts-expect-error none of them is typed
    expect(() => hub.channel('job').from([], options)).toThrow(name);
  });

  it('waits for the broker, and reads the next item when the last one is stored', async () => {
    const faulty = new FaultyBroker(new MemoryLog().broker());
    const { hub } = start({ broker: faulty.broker, publishTimeout: 60_000 });
    const { state, count } = endless();
    await hub.ready();
    faulty.hold();
    const produced = hub.channel('job').from(count());
    await faulty.holding();
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(state.given).toBe(1);
    faulty.release();
    await eventually(() => state.given > 3);
    await hub.channel('job').stop();
    expect(await produced).toBe(false);
  });

  it('publishes an item again that the broker did not store', async () => {
    const log = new MemoryLog();
    const broker = log.broker();
    const publish = broker.publish.bind(broker);
    let calls = 0;
    broker.publish = async (...call) => {
      calls += 1;
      if (calls > 1) return publish(...call);
      throw new TidingsError('not-stored', 'the broker is away');
    };
    const { hub } = start({ broker });
    const page = follow(start({ broker: log.broker() }).hub);
    const produced = hub.channel('job').from(['a', 'b']);
    expect(await produced).toBe(true);
    expect(await page.closed).toBe('ended');
    expect(page.events).toEqual(['a', 'b']);
  });
});

describe('channel.stop()', () => {
  it('cancels all sources of the channel, and no other', async () => {
    const { hub } = start();
    const sources = [endless(), endless(), endless()] as const;
    const stopped = sources.slice(0, 2).map(({ count }) => hub.channel('job').from(count));
    const other = hub.channel('other').from(sources[2].count);
    await eventually(() => sources.every(({ state }) => state.given > 1));
    await hub.channel('job').stop();
    expect(await Promise.all(stopped)).toEqual([false, false]);
    expect(sources[2].state.isCancelled).toBe(false);
    await hub.channel('other').stop();
    expect(await other).toBe(false);
  });
});

describe('channel.stop() in another process', () => {
  it('cancels the sources that began before it, and no later ones', async () => {
    const log = new MemoryLog();
    const [a, b] = [start({ broker: log.broker() }).hub, start({ broker: log.broker() }).hub];
    const first = endless();
    const stopped = a.channel('job').from(first.count, { end: false });
    await eventually(() => first.state.given > 1);
    await b.channel('job').stop();
    expect(await stopped).toBe(false);
    const second = endless();
    const going = a.channel('job').from(second.count, { end: false });
    await eventually(() => second.state.given > 2);
    // A process that begins now reads the message, and its sources are later.
    const c = start({ broker: log.broker() }).hub;
    const third = endless();
    const alsoGoing = c.channel('job').from(third.count, { end: false });
    await eventually(() => third.state.given > 2);
    expect([second, third].map(({ state }) => state.isCancelled)).toEqual([false, false]);
    await c.channel('job').stop();
    expect(await Promise.all([going, alsoGoing])).toEqual([false, false]);
  });

  it('does not cancel sources that its own process begins while the message is being stored', async () => {
    const { hub } = start({ broker: new MemoryLog().broker() });
    const first = endless();
    const stopped = hub.channel('job').from(first.count, { end: false });
    await eventually(() => first.state.given > 1);
    const message = hub.channel('job').stop();
    const second = endless();
    const going = hub.channel('job').from(second.count, { end: false });
    await message;
    expect(await stopped).toBe(false);
    await eventually(() => second.state.given > 2);
    expect(second.state.isCancelled).toBe(false);
    await hub.close();
    expect(await going).toBe(false);
  });
});

describe('hub.close()', () => {
  it('cancels sources, and delivers the last events of them and the application before it ends streams', async () => {
    const { hub, errors } = start();
    const page = follow(hub);
    const { state, count } = endless();
    async function produce() {
      const isComplete = await hub.channel('job').from(count, { end: false });
      await hub.publish('job', isComplete ? 'complete' : 'cut short', { event: 'done' });
      await hub.channel('job').end();
    }
    const produced = produce();
    await eventually(() => state.given > 2);
    await hub.close();
    await produced;
    expect(page.events.at(-1)).toBe('done cut short');
    expect(await page.closed).toBe('ended');
    expect(errors).toEqual([]);
  });

  it('does not wait for a source that ignores its signal', async () => {
    const { hub } = start();
    const produced = hub.channel('job').from(() => new Promise<never>(() => {}));
    await hub.close();
    expect(await produced).toBe(false);
  });

  it('waits no longer than `within` for an unreachable broker', async () => {
    const faulty = new FaultyBroker(new MemoryLog().broker());
    const { hub } = start({ broker: faulty.broker, publishTimeout: 60_000 });
    const { state, count } = endless();
    void hub.channel('job').from(count);
    await eventually(() => state.given > 2);
    faulty.hold();
    const page = follow(hub);
    const closed = hub.close({ within: 30 });
    expect(await page.closed).toBe('drained');
    faulty.release();
    await closed;
  });

  it('opens no source after that', async () => {
    const { hub } = start();
    const closed = hub.close();
    const { state, count } = endless();
    expect(await hub.channel('job').from(count)).toBe(false);
    await closed;
    expect(state.given).toBe(0);
  });
});
