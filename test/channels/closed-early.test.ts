import http from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import {
  type ChannelOptions,
  createHub,
  type EventStream,
  type Hub,
  type HubOptions,
  type StreamOptions,
  type SubscribeOptions,
} from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterAll, describe, expect, it } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { FaultyBroker, MemoryLog } from '../support/memory-broker.ts';
import { dataOf, lastIdOf, resetsOf, withId } from '../support/received.ts';
import { listen, type Running } from '../support/server.ts';

// A stream that is closed before its client was sent an id: the client would reconnect without one, and lack what was
// published in between.

const running: Running[] = [];
afterAll(() => {
  for (const server of running.splice(0)) server.kill();
});

async function serve(handler: (req: http.IncomingMessage, res: http.ServerResponse) => unknown) {
  const server = await listen(handler);
  running.push(server);
  return server.origin;
}

/** What closes the stream. */
interface Closing {
  hub?: HubOptions;
  stream?: () => StreamOptions;
  /** It closes by a timer, which is to fire before the headers are sent. */
  isTimed?: boolean;
  /** The hub is closed, too. */
  isLast?: boolean;
  /** Closes it. Absent: it closes by itself. */
  close?: (hub: Hub, stream: EventStream, another: () => void) => void;
}

const closings: Record<string, Closing> = {
  'close()': { close: (_, stream) => stream.close() },
  'clients.disconnect()': { close: (hub, { client }) => void hub.clients.disconnect(client as string) },
  'hub.close()': {
    isLast: true,
    close: hub => void hub.close({ within: 8_000, retry: [0, 0] }),
  },
  'limits.perClient': { hub: { limits: { perClient: 1 } }, close: (_hub, _stream, another) => another() },
};

// A short `stallTimeout`, for a clock that ticks every 5 ms.
const timed = { isTimed: true, hub: { stallTimeout: 160 } };
const expiring: Record<string, Closing> = {
  'an expiresAt that has passed': { ...timed, stream: () => ({ expiresAt: Date.now() - 1_000 }) },
  'an expiresAt that passes now': { ...timed, stream: () => ({ expiresAt: Date.now() + 1 }) },
  maxAge: { isTimed: true, hub: { maxAge: 1 } },
};

/** What the client says that it has seen. */
type Returning = 'fresh' | 'resuming' | 'with a foreign id';
const returnings: Returning[] = ['fresh', 'resuming', 'with a foreign id'];

/**
 * none: no broker · late: it answers after the stream was closed · cold: so it does, and the hub asks it for the first
 * time · rejecting: its first answer is a rejection · away: every answer is a rejection until the stream was closed.
 */
type BrokerState = 'none' | 'late' | 'cold' | 'rejecting' | 'away';

interface Course extends Closing {
  broker: BrokerState;
  returning: Returning;
  /** Turns of the event loop after `subscribe`; or when the broker was asked, or when the client has the headers. */
  closeAfter: number | 'asked' | 'headers';
}

/** Holds the event loop, so that timers are due before anything else. */
function occupy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Has a stream closed, its client reconnect with what it was told, and says what it lacks. */
async function run({ broker, returning, closeAfter, ...closing }: Course): Promise<string> {
  const log = new MemoryLog();
  const quiet: HubOptions = { heartbeat: false, onError: () => {} };
  const faulty = broker === 'none' ? undefined : new FaultyBroker(log.broker());
  const hub = createHub({ ...quiet, ...closing.hub, broker: faulty?.broker });
  // The node that is published to, and that the client reconnects to. Without a broker, a closed hub is not asked.
  const other = faulty === undefined ? hub : createHub({ ...quiet, broker: log.broker() });
  const before = await other.publish('a', 'before');
  const seenBefore = { fresh: undefined, resuming: before, 'with a foreign id': 'x-1' }[returning];
  if (returning === 'resuming') await other.publish('a', 'missed');
  if (broker === 'late') await hub.position();
  if (broker === 'late' || broker === 'cold') faulty?.hold();
  if (broker === 'rejecting') faulty?.fail(faulty.calls.length === 0 ? 'start' : 'open', 1);
  if (broker === 'away') faulty?.goAway();

  let another = () => {};
  let isThere: (value?: unknown) => void;
  const anotherIsThere = new Promise(resolve => {
    isThere = resolve;
  });
  let hasClosed: (value?: unknown) => void;
  const closed = new Promise(resolve => {
    hasClosed = resolve;
  });
  let responding: Promise<Client> | undefined;
  const origin = await serve(async (req, res) => {
    if (req.url === '/another') {
      another = () => void openStream(req, res, { hub, client: 'ann' });
      isThere();
      return;
    }
    const stream = openStream(req, res, { hub, client: 'ann', ...closing.stream?.() }).subscribe('a');
    if (closing.isTimed) occupy(20);
    if (closeAfter === 'asked') await faulty?.holding();
    else if (closeAfter === 'headers') await responding;
    else for (let turns = 0; turns < closeAfter; turns++) await turn();
    if (closing.close === undefined) await new Promise(resolve => (stream.signal.onabort = resolve));
    else closing.close(hub, stream, another);
    hasClosed();
  });
  const otherOrigin = await serve((req, res) => {
    openStream(req, res, { hub: other }).subscribe('a');
  });

  const anotherRequest = http.get(`${origin}/another`).on('error', () => {});
  await anotherIsThere;
  responding = request(origin, '/', withId(seenBefore));
  await closed;
  // What has no broker is not going to be asked for anything, nor is one that nobody wants to ask.
  if (broker === 'late' || broker === 'cold') await Promise.race([responding, faulty?.holding()]);
  if (broker === 'away' && faulty?.rejections === 0) await Promise.race([responding, faulty.rejected()]);
  if (other !== hub) await other.publish('a', 'during');
  faulty?.recover();
  faulty?.release();
  const client = await responding;
  const isComplete = await client.ended;
  anotherRequest.destroy();
  if (client.status !== 200 || !isComplete) return `status ${client.status}, complete: ${isComplete}`;
  const told = lastIdOf(client);
  if (told === undefined) return 'was told no id';
  if (other === hub && closing.isLast) return 'lacks nothing';

  await other.publish('a', 'after');
  const [data, resets] = [dataOf(client), resetsOf(client)];
  let id = told;
  for (let isPublished = false; !data.includes('live'); isPublished = true) {
    // With `maxAge`, it is closed again and again.
    const again = await request(otherOrigin, '/', withId(id));
    if (!isPublished) await other.publish('a', 'live');
    await again.until(each => dataOf(each).includes('live')).catch(() => {});
    data.push(...dataOf(again));
    resets.push(...resetsOf(again));
    id = lastIdOf(again) ?? id;
    again.reset();
  }
  if (other !== hub) await other.close({ within: 0 });
  await hub.close({ within: 0 });
  const names = resets.flatMap(({ channels }) => channels);
  if (returning === 'with a foreign id') {
    const isTold = names.includes('a') && data.join().endsWith('after,live');
    return isTold ? 'lacks nothing' : `got ${data.join()} and resets of ${names.join()}`;
  }
  const expected = [
    ...(returning === 'resuming' ? ['missed'] : []),
    ...(other === hub ? [] : ['during']),
    'after',
    'live',
  ];
  // Before a hub has heard from its broker for the first time, it cannot know where `now` is.
  const isOpen = returning === 'fresh' && broker !== 'none' && broker !== 'late';
  const got = isOpen ? data.filter(each => each !== 'during') : data;
  const due = isOpen ? expected.filter(each => each !== 'during') : expected;
  return got.join() === due.join() && resets.length === 0
    ? 'lacks nothing'
    : `got ${data.join()} and resets of ${names.join()}`;
}

/** The courses that differ only in when the stream is closed, and in what the client has seen. */
async function runAll(
  closing: Closing,
  broker: BrokerState,
  moments: Course['closeAfter'][],
  clients = returnings,
): Promise<{ outcomes: Record<string, string>; expected: Record<string, string> }> {
  const outcomes: Record<string, string> = {};
  const expected: Record<string, string> = {};
  await Promise.all(
    moments.flatMap(closeAfter =>
      clients.map(async returning => {
        const name = `${returning}, after ${closeAfter}`;
        expected[name] = 'lacks nothing';
        outcomes[name] = await run({ ...closing, broker, returning, closeAfter });
      }),
    ),
  );
  return { outcomes, expected };
}

describe.concurrent.each(Object.entries(closings))(
  'a stream closed by %s before it has begun',
  (_, closing) => {
    it('sends its client a position, from which it resumes', async () => {
      const { outcomes, expected } = await runAll(closing, 'none', [0, 1, 2, 3]);
      expect(outcomes).toEqual(expected);
    });

    it('sends its client a position when the broker responds late', async () => {
      const { outcomes, expected } = await runAll(closing, 'late', [0, 1, 2, 3, 'asked', 'headers']);
      expect(outcomes).toEqual(expected);
    });

    it('sends its client a position when the broker responds late for the first time', async () => {
      const { outcomes, expected } = await runAll(closing, 'cold', [0, 1, 2, 3, 'asked', 'headers']);
      expect(outcomes).toEqual(expected);
    });

    it('sends its client a position when the broker rejects first', async () => {
      const { outcomes, expected } = await runAll(closing, 'rejecting', [0, 1, 2, 'headers']);
      expect(outcomes).toEqual(expected);
    });

    it('sends its client a position once the broker is reachable again', async () => {
      const { outcomes, expected } = await runAll(closing, 'away', [0, 1, 2, 'headers']);
      expect(outcomes).toEqual(expected);
    });
  },
);

describe.concurrent.each(Object.entries(expiring))('a stream closed by %s', (_, closing) => {
  it('sends its client a position, from which it resumes', async () => {
    const { outcomes, expected } = await runAll(closing, 'none', [0]);
    expect(outcomes).toEqual(expected);
  });

  it.each<BrokerState>(['late', 'cold', 'rejecting', 'away'])(
    'tells its client a position with a broker that is %s',
    async broker => {
      const { outcomes, expected } = await runAll(closing, broker, [0]);
      expect(outcomes).toEqual(expected);
    },
  );
});

/** Closes the stream of a first request `turns` after `subscribe`, and has all others follow what comes. */
async function reconnectAfterClose(
  channel: ChannelOptions,
  options: SubscribeOptions | undefined,
  turns: number | Promise<unknown>,
  faulty?: FaultyBroker,
): Promise<string[][]> {
  const hub = createHub({
    heartbeat: false,
    onError: () => {},
    channels: () => channel,
    broker: faulty?.broker,
  });
  await hub.publish('a', 'one', { key: '1' });
  await hub.publish('a', 'two', { key: '2' });
  faulty?.hold();
  let isFirst = true;
  const origin = await serve(async (req, res) => {
    const stream = openStream(req, res, { hub }).subscribe('a', options);
    if (!isFirst) return;
    isFirst = false;
    if (typeof turns === 'number') for (let i = 0; i < turns; i++) await turn();
    else await turns;
    stream.close();
  });
  const responding = request(origin, '/');
  if (faulty !== undefined) await Promise.race([responding, faulty.holding()]);
  faulty?.release();
  const client = await responding;
  await client.ended;
  expect(lastIdOf(client)).toBeDefined();
  await hub.publish('a', 'three', { key: '3' });
  const again = await request(origin, '/', withId(lastIdOf(client)));
  await hub.publish('a', 'live', { key: '4' });
  await again.until(each => dataOf(each).includes('live'));
  const data = [dataOf(client), dataOf(again)];
  const isReset = resetsOf(again).length > 0;
  again.reset();
  await hub.close({ within: 0 });
  // What comes after a reset is all that counts.
  return isReset ? [[], data[1] ?? []] : data;
}

describe('the client of a stream that was closed before the state was sent', () => {
  const cases: [string, ChannelOptions, SubscribeOptions | undefined][] = [
    ['a compacted channel', { compact: true }, undefined],
    ['a channel with a snapshot', { snapshot: () => 'state' }, undefined],
    ['a channel, from the start', {}, { from: 'start' }],
    ['a channel, from the last two', {}, { from: { last: 2 } }],
  ];
  const check = (channel: ChannelOptions, data: string[]) => {
    if (channel.snapshot === undefined) expect(data).toEqual(['one', 'two', 'three', 'live']);
    else expect([data.includes('state'), data.at(-1)]).toEqual([true, 'live']);
  };

  it.each(cases)('receives it after it has reconnected, of %s', async (_, channel, options) => {
    for (const turns of [0, 1, 2]) {
      check(channel, (await reconnectAfterClose(channel, options, turns)).flat());
    }
  });

  it.each(cases)(
    'receives it after it has reconnected, of %s, when the broker responds late',
    async (_, channel, options) => {
      for (const turns of [0, 1, 2]) {
        const faulty = new FaultyBroker(new MemoryLog().broker());
        check(channel, (await reconnectAfterClose(channel, options, turns, faulty)).flat());
      }
    },
  );

  it('receives it after it has reconnected, even if it was closed while the snapshot was awaited', async () => {
    let isAsked = () => {};
    const asked = new Promise<void>(resolve => {
      isAsked = resolve;
    });
    let answer = (_state: string) => {};
    const first = new Promise<string>(resolve => {
      answer = resolve;
    });
    let calls = 0;
    const snapshot = () => {
      isAsked();
      return ++calls === 1 ? first : 'state';
    };
    const reconnecting = reconnectAfterClose({ snapshot }, undefined, asked);
    // The stream need not wait for a snapshot; if it does, it gets one.
    await asked;
    setImmediate(() => answer('state'));
    const data = (await reconnecting).flat();
    expect(data).toContain('state');
    expect(data.at(-1)).toBe('live');
  });
});

describe('a stream that was refused', () => {
  it('sends its client a position, from which it resumes, if it was subscribed', async () => {
    const hub = createHub({ heartbeat: false, limits: { streams: 1 } });
    const origin = await serve((req, res) => openStream(req, res, { hub }).subscribe('a'));
    const holder = await request(origin, '/');
    const refused = await request(origin, '/');
    await refused.ended;
    expect(refused.status).toBe(200);
    expect(lastIdOf(refused)).toBe(await hub.position());
    holder.reset();
    await holder.ended;
    await hub.publish('a', 'meanwhile');
    const again = await request(origin, '/', withId(lastIdOf(refused)));
    await again.until(each => dataOf(each).length > 0);
    expect([dataOf(again), resetsOf(again)]).toEqual([['meanwhile'], []]);
  });

  it('does not change the id of a client that has one', async () => {
    const hub = createHub({ heartbeat: false, limits: { streams: 0 } });
    const id = await hub.publish('a', 1);
    await hub.publish('a', 2);
    const origin = await serve((req, res) => openStream(req, res, { hub }).subscribe('a'));
    const refused = await request(origin, '/', withId(id));
    await refused.ended;
    expect(lastIdOf(refused) ?? id).toBe(id);
  });
});
