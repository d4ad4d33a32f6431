import { setImmediate as turn } from 'node:timers/promises';
import {
  type ChannelOptions,
  createHub,
  type Hub,
  type HubOptions,
  type SubscribeOptions,
} from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterEach, describe, expect, it } from 'vitest';
import { type Client, eventually, request } from '../support/client.ts';
import { FaultyBroker, MemoryLog } from '../support/memory-broker.ts';
import { dataOf, lastIdOf, resetsOf, withId } from '../support/received.ts';
import { listen, type Running } from '../support/server.ts';

const running: Running[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
});

/** Every request is subscribed to the channels its path names, as `ann`. */
async function serve(options: HubOptions, subscribeOptions?: SubscribeOptions) {
  const hub = createHub({ heartbeat: false, onError: () => {}, ...options });
  const server = await listen((req, res) => {
    const { pathname } = new URL(req.url, 'http://x');
    openStream(req, res, { hub, client: 'ann' }).subscribe(pathname.slice(1).split(','), subscribeOptions);
  });
  running.push(server);
  const connect = (path: string, lastEventId?: string) => request(server.origin, path, withId(lastEventId));
  /** Cuts a client, and connects it again with the id that it has. */
  const reconnect = async (client: Client, path: string) => {
    client.reset();
    await client.ended;
    return connect(path, lastIdOf(client));
  };
  return { hub, connect, reconnect };
}

/** A client of channel `a` whose broker then loses messages: of the channels, or any. */
async function followThenLose(channels?: string[]) {
  const faulty = new FaultyBroker(new MemoryLog().broker());
  const { hub, connect, reconnect } = await serve({ broker: faulty.broker });
  const client = await connect('/a');
  await hasBegun(client);
  await hub.publish('other', 1);
  faulty.sink?.lost(channels);
  return { hub, client, reconnect };
}

const hasBegun = (client: Client) => client.until(({ events }) => events.length > 0);

/** Publishes events one a turn, so that the hub trims between them. */
async function publish(hub: Hub, channel: string, count: number, fields?: { except: string }): Promise<void> {
  for (let i = 1; i <= count; i++) {
    await hub.publish(channel, `${channel} ${i}`, fields);
    await turn();
  }
}

/** Lets a client, which is in this process, read what was written. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await turn();
}

const outcome = async (client: Client, last: string) => {
  await client.until(each => dataOf(each).includes(last));
  return { data: dataOf(client), resets: resetsOf(client) };
};

const nothingKept: [string, ChannelOptions][] = [
  ['history: false', { history: false }],
  ['no events', { history: { events: 0 } }],
  ['no bytes', { history: { bytes: 0 } }],
  ['the latest of each key, and no events', { compact: true, history: false }],
];

const brokers: [string, () => FaultyBroker | undefined][] = [
  ['without a broker', () => undefined],
  ['with a broker', () => new FaultyBroker(new MemoryLog().broker())],
];

describe.each(brokers)('a channel without history, %s:', (_, makeBroker) => {
  const withCursor = (cursor: ChannelOptions) => ({
    broker: makeBroker()?.broker,
    channels: (name: string) => (name === 'cursor' ? cursor : {}),
  });

  it.each(nothingKept)('sends no reset after a reconnect, with %s', async (_, cursor) => {
    const { hub, connect, reconnect } = await serve(withCursor(cursor));
    let client = await connect('/chat,cursor');
    await hasBegun(client);
    for (let cut = 1; cut <= 3; cut++) {
      client.reset();
      await client.ended;
      await publish(hub, 'cursor', 3);
      await hub.publish('chat', `missed ${cut}`);
      await publish(hub, 'cursor', 3);
      client = await reconnect(client, '/chat,cursor');
      await hub.publish('cursor', `live ${cut}`);
      const { data, resets } = await outcome(client, `live ${cut}`);
      expect([data.filter(each => !each.startsWith('cursor')), resets]).toEqual([
        [`missed ${cut}`, `live ${cut}`],
        [],
      ]);
    }
  });

  it('sends no reset after an unknown id', async () => {
    const { hub, connect } = await serve(withCursor({ history: false }));
    await hub.publish('chat', 'kept');
    await hub.publish('cursor', 'c');
    await turn();
    const both = await connect('/chat,cursor', 'x-1');
    await hasBegun(both);
    await hub.publish('cursor', 'live');
    expect((await outcome(both, 'live')).resets).toEqual([{ reason: 'unknown', channels: ['chat'] }]);
    const alone = await connect('/cursor', 'x-1');
    await hasBegun(alone);
    await hub.publish('cursor', 'live');
    expect(await outcome(alone, 'live')).toEqual({ data: ['live'], resets: [] });
  });

  it('sends a reset and the state if it has a snapshot', async () => {
    const { hub, connect, reconnect } = await serve(
      withCursor({ history: false, snapshot: () => 'state', snapshotEvent: 'state' }),
    );
    const client = await connect('/cursor');
    await client.until(each => dataOf(each).includes('state'));
    client.reset();
    await client.ended;
    await publish(hub, 'cursor', 3);
    const again = await reconnect(client, '/cursor');
    await again.until(each => dataOf(each).includes('state'));
    expect(resetsOf(again)).toHaveLength(1);
  });
});

describe('a channel without history:', () => {
  it('sends no reset when its client is slow', async () => {
    const { hub, connect } = await serve({ channels: () => ({ history: false }), maxBufferedBytes: 1e9 });
    const client = await connect('/cursor');
    await hasBegun(client);
    client.stall();
    const text = 'x'.repeat(100_000);
    // Until the socket is full, and then more than a channel may retain for its streams.
    while (hub.stats().lagging === 0) await publish(hub, 'cursor', 1).then(() => hub.publish('cursor', text));
    for (let i = 0; i < 50; i++) {
      hub.publish('cursor', text);
      await turn();
    }
    client.resume();
    await eventually(() => hub.stats().lagging === 0);
    await hub.publish('cursor', 'live');
    expect((await outcome(client, 'live')).resets).toEqual([]);
  });

  it('sends no reset when a broker has lost entries', async () => {
    const faulty = new FaultyBroker(new MemoryLog().broker());
    const { hub, connect } = await serve({
      broker: faulty.broker,
      channels: name => (name === 'cursor' ? { history: false } : {}),
    });
    const client = await connect('/chat,cursor');
    await hasBegun(client);
    faulty.sink?.lost(['chat', 'cursor']);
    await client.until(each => resetsOf(each).length > 0);
    await hub.publish('chat', 'live');
    expect((await outcome(client, 'live')).resets).toEqual([{ reason: 'history', channels: ['chat'] }]);
  });
});

describe.each(brokers)('a client to which no trimmed event was addressed, %s,', (_, makeBroker) => {
  const few = (options: HubOptions = {}): HubOptions => ({
    broker: makeBroker()?.broker,
    history: { events: 10 },
    ...options,
  });
  const wanted: SubscribeOptions = { filter: ({ data }) => String(data).startsWith('wanted') };

  it('resumes without a reset when a filter rejected them', async () => {
    const { hub, connect, reconnect } = await serve(few(), wanted);
    const client = await connect('/a');
    await hasBegun(client);
    await publish(hub, 'a', 100);
    await settle();
    const again = await reconnect(client, '/a');
    await hub.publish('a', 'wanted');
    expect(await outcome(again, 'wanted')).toEqual({ data: ['wanted'], resets: [] });
  });

  it('resumes without a reset when it was excluded by `except`', async () => {
    const { hub, connect, reconnect } = await serve(few());
    const client = await connect('/a');
    await hasBegun(client);
    await publish(hub, 'a', 100, { except: 'ann' });
    await settle();
    const again = await reconnect(client, '/a');
    await hub.publish('a', 'wanted');
    expect(await outcome(again, 'wanted')).toEqual({ data: ['wanted'], resets: [] });
  });

  it('resumes without a reset when a filter rejected them in one of its channels', async () => {
    const { hub, connect, reconnect } = await serve(few(), wanted);
    const client = await connect('/a,b');
    await hasBegun(client);
    await hub.publish('b', 'wanted 1');
    await client.until(each => dataOf(each).includes('wanted 1'));
    await publish(hub, 'a', 100);
    await settle();
    client.reset();
    await client.ended;
    await hub.publish('b', 'wanted 2');
    const again = await reconnect(client, '/a,b');
    expect(await outcome(again, 'wanted 2')).toEqual({ data: ['wanted 2'], resets: [] });
  });

  it('resumes without a reset when all were published in one tick', async () => {
    const { hub, connect, reconnect } = await serve(few(), wanted);
    const client = await connect('/a');
    await hasBegun(client);
    await Promise.all(Array.from({ length: 20 }, (_, i) => hub.publish('a', i)));
    await settle();
    const again = await reconnect(client, '/a');
    await hub.publish('a', 'wanted');
    expect(await outcome(again, 'wanted')).toEqual({ data: ['wanted'], resets: [] });
  });

  it('resumes without a reset when they were tombstones, which are trimmed before older events', async () => {
    const options = few({ channels: () => ({ compact: true, history: { bytes: 2_700 } }) });
    const { hub, connect, reconnect } = await serve(options, wanted);
    const client = await connect('/a');
    await hasBegun(client);
    await hub.publish('a', `wanted ${'x'.repeat(2_000)}`, { key: 'large' });
    await client.until(each => dataOf(each).length > 0);
    await Promise.all(['b', 'c'].map(key => hub.publish('a', '', { key, gone: true })));
    await settle();
    const again = await reconnect(client, '/a');
    await hub.publish('a', 'wanted');
    expect(await outcome(again, 'wanted')).toEqual({ data: ['wanted'], resets: [] });
  });

  it('resumes without a reset when they were dropped because their channel was reopened', async () => {
    const { hub, connect, reconnect } = await serve(few(), wanted);
    const client = await connect('/a');
    await hasBegun(client);
    const a = hub.channel('a');
    await Promise.all([hub.publish('a', 1), a.end(), a.begin()]);
    await settle();
    const again = await reconnect(client, '/a');
    await hub.publish('a', 'wanted');
    expect(await outcome(again, 'wanted')).toEqual({ data: ['wanted'], resets: [] });
  });

  it('resumes without a reset when they were trimmed by age', async () => {
    const { hub, connect, reconnect } = await serve(few({ history: { age: 40 } }), wanted);
    const client = await connect('/a');
    await hasBegun(client);
    await publish(hub, 'a', 5);
    // Its history is trimmed when there is something new, or by and by.
    await eventually(() => hub.stats().historyBytes === 0);
    await settle();
    const again = await reconnect(client, '/a');
    await hub.publish('a', 'wanted');
    expect(await outcome(again, 'wanted')).toEqual({ data: ['wanted'], resets: [] });
  });

  it('receives few markers meanwhile, and not one for each event', async () => {
    const { hub, connect } = await serve(few(), wanted);
    const client = await connect('/a');
    await hasBegun(client);
    await publish(hub, 'a', 200);
    await hub.publish('a', 'wanted');
    await outcome(client, 'wanted');
    const markers = client.events.filter(({ event }) => event === 'tidings').length;
    // One for each time that as much as the history holds has passed, about; and the first.
    expect(markers).toBeGreaterThanOrEqual(2);
    expect(markers).toBeLessThanOrEqual(60);
  });

  it('receives a reset if it was disconnected meanwhile', async () => {
    const { hub, connect, reconnect } = await serve(few(), wanted);
    const client = await connect('/a');
    await hasBegun(client);
    client.reset();
    await client.ended;
    await publish(hub, 'a', 100);
    const again = await reconnect(client, '/a');
    await hub.publish('a', 'wanted');
    expect((await outcome(again, 'wanted')).resets).toEqual([{ reason: 'history', channels: ['a'] }]);
  });
});

describe('a channel after another one was dropped from memory', () => {
  /** A hub that has forgotten the channel `other`, and an id from before that was published to. */
  async function forgetful(options: HubOptions = {}) {
    const dropped: string[] = [];
    const served = await serve({
      history: { age: 30 },
      observer: { dropped: channel => void dropped.push(channel) },
      ...options,
    });
    const id = await served.hub.publish('first', 1);
    await served.hub.publish('other', 1);
    await served.hub.publish('other', 2);
    await eventually(() => dropped.includes('other'));
    return { ...served, id };
  }

  it('causes no reset if nothing was ever published to it', async () => {
    const { hub, connect, id } = await forgetful();
    const client = await connect('/never', id);
    await hub.publish('never', 'live');
    expect(await outcome(client, 'live')).toEqual({ data: ['live'], resets: [] });
  });

  it('causes no reset if it was published to afterwards only', async () => {
    const { hub, connect, id } = await forgetful();
    await hub.publish('never', 'missed');
    const client = await connect('/never', id);
    await hub.publish('never', 'live');
    expect(await outcome(client, 'live')).toEqual({ data: ['missed', 'live'], resets: [] });
  });

  it('causes no reset for a client that received its last event before it was dropped', async () => {
    const { hub, connect, id } = await forgetful();
    const client = await connect('/first', id);
    await hub.publish('first', 'live');
    expect(await outcome(client, 'live')).toEqual({ data: ['live'], resets: [] });
  });

  it('causes a reset if it was dropped with events that a client had not received', async () => {
    const { hub, connect, id } = await forgetful();
    const client = await connect('/other,never', id);
    await hub.publish('other', 'live');
    const { resets } = await outcome(client, 'live');
    expect(resets.flatMap(({ channels }) => channels)).toContain('other');
  });

  it('causes no reset if it was reopened without events after a client had received its end', async () => {
    const dropped: string[] = [];
    const observer = { dropped: (channel: string) => void dropped.push(channel) };
    const { hub, connect } = await serve({ history: { age: 30 }, observer });
    await hub.publish('a', 1);
    const id = await hub.channel('a').end();
    await hub.channel('a').begin();
    await eventually(() => dropped.includes('a'));
    const client = await connect('/a', id);
    await hub.publish('a', 'live');
    expect(await outcome(client, 'live')).toEqual({ data: ['live'], resets: [] });
  });
});

describe('after a reset that no event follows', () => {
  it('a client that disconnects immediately resumes without another reset, when its history was trimmed', async () => {
    const { hub, connect, reconnect } = await serve({ history: { age: 30 } });
    const holder = await connect('/a');
    await hasBegun(holder);
    const id = await hub.publish('a', 1);
    await hub.publish('a', 2);
    await eventually(() => hub.stats().historyBytes === 0);
    const client = await connect('/a', id);
    await client.until(each => resetsOf(each).length > 0);
    const again = await reconnect(client, '/a');
    await hub.publish('a', 'live');
    expect(await outcome(again, 'live')).toEqual({ data: ['live'], resets: [] });
    expect(lastIdOf(client)).not.toBe(id);
  });

  it('a client that disconnects immediately resumes without another reset, when it was slow', async () => {
    const { hub, connect, reconnect } = await serve({ history: { events: 10 } });
    const client = await connect('/a');
    await hasBegun(client);
    client.stall();
    const text = 'x'.repeat(100_000);
    while (hub.stats().lagging === 0) {
      hub.publish('a', text);
      await turn();
    }
    for (let i = 0; i < 20; i++) {
      hub.publish('a', text);
      await turn();
    }
    client.resume();
    await client.until(each => resetsOf(each).length > 0);
    const again = await reconnect(client, '/a');
    await hub.publish('a', 'live');
    expect(await outcome(again, 'live')).toEqual({ data: ['live'], resets: [] });
  });

  it('a marker at the position of the stream is in the same write', async () => {
    const { hub, connect } = await serve({ history: { age: 30 } });
    const holder = await connect('/a');
    await hasBegun(holder);
    const id = await hub.publish('a', 1);
    await hub.publish('a', 2);
    await eventually(() => hub.stats().historyBytes === 0);
    const position = await hub.position();
    const client = await connect('/a', id);
    await client.until(each => resetsOf(each).length > 0);
    // The reset keeps its own id.
    expect(client.events.map(({ event, id }) => [event, id])).toEqual([
      ['reset', id],
      ['tidings', position],
    ]);
  });

  it('a marker follows when a broker has lost entries', async () => {
    const { hub, client, reconnect } = await followThenLose(['a']);
    await client.until(each => resetsOf(each).length > 0);
    const again = await reconnect(client, '/a');
    await hub.publish('a', 'live');
    expect(await outcome(again, 'live')).toEqual({ data: ['live'], resets: [] });
  });

  it('no reset is sent if control messages may be lost, too: the stream closes, and its client resumes', async () => {
    const { hub, client, reconnect } = await followThenLose();
    await client.ended;
    expect(resetsOf(client)).toEqual([]);
    const again = await reconnect(client, '/a');
    await hub.publish('a', 'live');
    expect(await outcome(again, 'live')).toEqual({ data: ['live'], resets: [] });
  });

  it('no marker is sent between a reset and the event after it', async () => {
    const { hub, connect } = await serve({ history: { events: 2 } });
    const id = await hub.publish('a', 1);
    await publish(hub, 'a', 5);
    const client = await connect('/a', id);
    await client.until(each => dataOf(each).length === 2);
    expect(client.events.map(({ event }) => event)).toEqual(['reset', undefined, undefined]);
  });
});
