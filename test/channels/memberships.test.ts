import {
  type Channel,
  type ChannelOptions,
  createHub,
  type Hub,
  type SubscribeOptions,
  TidingsError,
} from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterEach, describe, expect, it } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { MemoryLog } from '../support/memory-broker.ts';
import { dataOf, lastIdOf, resetsOf, seen, withId } from '../support/received.ts';
import { listen, type Running } from '../support/server.ts';

// A client that is away while it gains a channel resumes after an id that does not say which channels it had. So the
// application says what of the new channel it cannot have.

const running: Running[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
});

type Rooms = Record<string, SubscribeOptions['from'] | undefined>;

/** Every request is subscribed to these channels, in the tick of the request. */
async function serve(hub: Hub, rooms: Rooms) {
  const server = await listen((req, res) => {
    const stream = openStream(req, res, { hub });
    try {
      for (const [name, from] of Object.entries(rooms)) stream.subscribe(name, { from });
    } catch (error) {
      res.writeHead(500).end(String(error));
    }
  });
  running.push(server);
  return {
    connect: (lastEventId?: string) => request(server.origin, '/', withId(lastEventId)),
    /** Cuts a client, and connects it again with the id that it has. */
    async reconnect(client: Client) {
      client.reset();
      await client.ended;
      return request(server.origin, '/', withId(lastIdOf(client)));
    },
  };
}

const COMPACT: ChannelOptions = { compact: true };
const SNAPSHOT: ChannelOptions = { snapshot: () => 'state' };

/** `room` has the options, every other channel none. */
const hubWith = (room: ChannelOptions, log?: MemoryLog) =>
  createHub({
    heartbeat: false,
    broker: log?.broker(),
    channels: name => (name.startsWith('room') ? room : {}),
  });

const until = async (client: Client, data: string) => {
  await client.until(each => dataOf(each).includes(data));
  return { data: dataOf(client), resets: resetsOf(client) };
};

describe.each([
  ['without a broker', () => undefined],
  ['with a broker', () => new MemoryLog()],
])("a subscription from 'state', %s", (_, log) => {
  it('begins with the state of a compacted channel, on a stream that resumes another', async () => {
    const hub = hubWith(COMPACT, log());
    await hub.publish('room', 'old', { key: 'a' });
    await hub.publish('room', 'a', { key: 'a' });
    await hub.publish('room', 'b', { key: 'b' });
    const id = await hub.publish('chat', 'seen');
    await hub.publish('chat', 'missed 1');
    await hub.publish('room', 'c', { key: 'c' });
    await hub.publish('chat', 'missed 2');
    const { connect, reconnect } = await serve(hub, { chat: undefined, room: 'state' });
    const client = await connect(id);
    await hub.publish('room', 'live', { key: 'd' });
    const { data, resets } = await until(client, 'live');
    expect(resets).toEqual([]);
    expect(data.filter(each => each.startsWith('missed'))).toEqual(['missed 1', 'missed 2']);
    expect(data.filter(each => !each.startsWith('missed'))).toEqual(['a', 'b', 'c', 'live']);
    // It had all of the state, and gets it again.
    const again = await reconnect(client);
    await hub.publish('room', 'end', { key: 'e' });
    expect(await until(again, 'end')).toEqual({ data: ['a', 'b', 'c', 'live', 'end'], resets: [] });
  });

  it('begins with the snapshot, on a stream that resumes another', async () => {
    const hub = hubWith(SNAPSHOT, log());
    await hub.publish('room', 'change');
    const id = await hub.publish('chat', 'seen');
    await hub.publish('chat', 'missed');
    const { connect, reconnect } = await serve(hub, { chat: undefined, room: 'state' });
    const client = await connect(id);
    // Published once the snapshot was asked for.
    await client.until(each => dataOf(each).includes('state'));
    await hub.publish('room', 'live');
    const { data, resets } = await until(client, 'live');
    expect(resets).toEqual([]);
    expect(data.toSorted()).toEqual(['live', 'missed', 'state']);
    expect(data.indexOf('state')).toBeLessThan(data.indexOf('live'));
    const again = await reconnect(client);
    await again.until(each => dataOf(each).includes('state'));
    await hub.publish('chat', 'end');
    expect(await until(again, 'end')).toEqual({ data: ['state', 'end'], resets: [] });
  });

  it('sends the state once after an unknown id, and after one of a backfill', async () => {
    const hub = hubWith(COMPACT, log());
    await hub.publish('room', 'a', { key: 'a' });
    const id = await hub.publish('chat', 'seen');
    const { connect } = await serve(hub, { chat: undefined, room: 'state' });
    for (const [lastEventId, reason] of [
      ['x-1', 'unknown'],
      [`${id}~`, 'interrupted'],
    ]) {
      const client = await connect(lastEventId);
      const name = `live ${reason}`;
      await hub.publish('room', name, { key: 'live' });
      const { data, resets } = await until(client, name);
      expect(resets.map(reset => reset.reason)).toEqual([reason]);
      expect(data.filter(each => each === 'a')).toHaveLength(1);
      client.reset();
    }
  });
});

describe("a subscription from 'state'", () => {
  it.each([
    ['compacted', COMPACT, ['a']],
    ['that has a snapshot', SNAPSHOT, ['state']],
  ])('begins with the state of a channel %s, for a client without an id', async (_, options, state) => {
    const hub = hubWith(options);
    await hub.publish('room', 'a', { key: 'a' });
    const { connect } = await serve(hub, { room: 'state' });
    const client = await connect();
    await client.until(each => dataOf(each).length === state.length);
    expect([dataOf(client), resetsOf(client)]).toEqual([state, []]);
  });

  it('begins with the state when it is made later', async () => {
    const hub = hubWith(COMPACT);
    await hub.publish('room', 'a', { key: 'a' });
    const { connect } = await serve(hub, { chat: undefined });
    const client = await connect();
    await client.until(({ events }) => events.length > 0);
    for (const stream of hub.streams) stream.subscribe('room', { from: 'state' });
    await hub.publish('room', 'live', { key: 'live' });
    expect(await until(client, 'live')).toEqual({ data: ['a', 'live'], resets: [] });
  });

  it('sends the state again when it replaces a subscription', async () => {
    const hub = hubWith(COMPACT);
    await hub.publish('room', 'a', { key: 'a' });
    const { connect } = await serve(hub, { room: undefined });
    const client = await connect();
    await client.until(each => dataOf(each).includes('a'));
    for (const stream of hub.streams) stream.subscribe('room', { from: 'state' });
    await client.until(each => dataOf(each).length === 2);
    expect([dataOf(client), resetsOf(client)]).toEqual([['a', 'a'], []]);
  });

  it('is refused for a channel without state, without changes', async () => {
    const hub = hubWith(COMPACT);
    await hub.publish('room', 'a', { key: 'a' });
    let refusal: unknown;
    const server = await listen((req, res) => {
      const stream = openStream(req, res, { hub }).subscribe('before');
      try {
        stream.subscribe(['room', 'chat'], { from: 'state' });
      } catch (error) {
        refusal = error;
      }
    });
    running.push(server);
    const client = await request(server.origin, '/');
    await hub.publish('room', 'b', { key: 'b' });
    await hub.publish('chat', 'c');
    await hub.publish('before', 'live');
    expect((await until(client, 'live')).data).toEqual(['live']);
    expect(refusal).toBeInstanceOf(TidingsError);
    expect(refusal).toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(/from.*chat|chat.*from/s),
    });
  });

  it('uses the options that the channel has when it is made', async () => {
    const hub = hubWith({});
    const channel: Channel = hub.channel('room', COMPACT);
    await channel.publish('a', { key: 'a' });
    const { connect } = await serve(hub, { room: 'state' });
    const client = await connect();
    await client.until(each => dataOf(each).length === 1);
    expect(dataOf(client)).toEqual(['a']);
  });
});

describe.each([
  ['without a broker', () => undefined],
  ['with a broker', () => new MemoryLog()],
])('a subscription from { since: id }, %s', (_, log) => {
  /** Events before and after a client was added to `room`, and one in `chat` before, between and after each. */
  async function joined(options: ChannelOptions) {
    const hub = hubWith(options, log());
    const first = await hub.publish('chat', 'chat 1');
    await hub.publish('room', 'room 1', { key: '1' });
    await hub.publish('chat', 'chat 2');
    const since = await hub.position();
    await hub.publish('room', 'room 2', { key: '2' });
    const afterwards = await hub.publish('chat', 'chat 3');
    await hub.publish('room', 'room 3', { key: '3' });
    await hub.publish('chat', 'chat 4');
    return { hub, first, since, afterwards };
  }

  it('begins after it, for a client with an older id', async () => {
    const { hub, first, since } = await joined({});
    const { connect } = await serve(hub, { chat: undefined, room: { since } });
    const client = await connect(first);
    await hub.publish('room', 'live');
    expect(await until(client, 'live')).toEqual({
      data: ['chat 2', 'room 2', 'chat 3', 'room 3', 'chat 4', 'live'],
      resets: [],
    });
    // In order, so that each event has its id.
    expect(seen(client).every(({ id }) => id !== undefined)).toBe(true);
  });

  it('resumes, for a client with a newer id', async () => {
    const { hub, since, afterwards } = await joined({});
    const { connect } = await serve(hub, { chat: undefined, room: { since } });
    for (const [id, data] of [
      [since, ['room 2', 'chat 3', 'room 3', 'chat 4']],
      [afterwards, ['room 3', 'chat 4']],
    ] as const) {
      const client = await connect(id);
      await client.until(each => dataOf(each).includes('chat 4'));
      expect([dataOf(client), resetsOf(client)]).toEqual([data, []]);
      client.reset();
    }
  });

  it('continues after the id of a client whose backfill was interrupted, after a reset', async () => {
    const { hub, afterwards } = await joined({});
    const { connect } = await serve(hub, { room: { since: afterwards }, chat: { since: afterwards } });
    const client = await connect(`${afterwards}~`);
    await client.until(each => dataOf(each).includes('chat 4'));
    expect(dataOf(client)).toEqual(['room 3', 'chat 4']);
    expect(resetsOf(client)).toHaveLength(1);
  });

  it('begins with the state of a compacted channel, for a client with an older id', async () => {
    const { hub, first, since } = await joined(COMPACT);
    const { connect } = await serve(hub, { chat: undefined, room: { since } });
    const client = await connect(first);
    await hub.publish('room', 'live', { key: 'live' });
    const { data, resets } = await until(client, 'live');
    expect(resets).toEqual([]);
    expect(data.filter(each => !each.startsWith('chat'))).toEqual(['room 1', 'room 2', 'room 3', 'live']);
    expect(data.filter(each => each.startsWith('chat'))).toEqual(['chat 2', 'chat 3', 'chat 4']);
  });

  it('resumes a compacted channel, for a client with a newer id', async () => {
    const { hub, since, afterwards } = await joined(COMPACT);
    const { connect } = await serve(hub, { chat: undefined, room: { since } });
    const client = await connect(afterwards);
    await client.until(each => dataOf(each).includes('chat 4'));
    expect([dataOf(client), resetsOf(client)]).toEqual([['room 3', 'chat 4'], []]);
  });

  it('begins with the snapshot for a client with an older id, and resumes for others', async () => {
    const { hub, first, since, afterwards } = await joined(SNAPSHOT);
    const { connect } = await serve(hub, { chat: undefined, room: { since } });
    const behind = await connect(first);
    await behind.until(each => dataOf(each).includes('state') && dataOf(each).includes('chat 4'));
    expect(resetsOf(behind)).toEqual([]);
    expect(dataOf(behind).filter(each => each.startsWith('room'))).toEqual([]);
    const ahead = await connect(afterwards);
    await ahead.until(each => dataOf(each).includes('chat 4'));
    expect([dataOf(ahead), resetsOf(ahead)]).toEqual([['room 3', 'chat 4'], []]);
  });

  it('begins now, or with the state, for a client without an id', async () => {
    for (const [options, state] of [
      [{}, []],
      [COMPACT, ['room 1', 'room 2', 'room 3']],
    ] as const) {
      const { hub, since } = await joined(options);
      const { connect } = await serve(hub, { room: { since } });
      const client = await connect();
      await client.until(({ events }) => events.length > 0);
      await hub.publish('room', 'live', { key: 'live' });
      expect(await until(client, 'live')).toEqual({ data: [...state, 'live'], resets: [] });
    }
  });

  it('sends a reset only for events that were trimmed after it', async () => {
    const hub = hubWith({ history: { events: 2 } }, log());
    const first = await hub.publish('chat', 'chat 1');
    for (let i = 1; i <= 5; i++) await hub.publish('room', `room ${i}`);
    const afterThree = (await hub.position()).replace(/\d+$/, position => String(Number(position) - 2));
    await new Promise(setImmediate);
    const kept = await serve(hub, { chat: undefined, room: { since: afterThree } });
    const lucky = await kept.connect(first);
    await lucky.until(each => dataOf(each).includes('room 5'));
    expect([dataOf(lucky), resetsOf(lucky)]).toEqual([['room 4', 'room 5'], []]);
    const afterOne = afterThree.replace(/\d+$/, position => String(Number(position) - 2));
    const lost = await serve(hub, { chat: undefined, room: { since: afterOne } });
    const unlucky = await lost.connect(first);
    await unlucky.until(each => dataOf(each).includes('room 5'));
    expect(resetsOf(unlucky)).toEqual([{ reason: 'history', channels: ['room'] }]);
    expect(dataOf(unlucky)).toEqual(['room 4', 'room 5']);
  });

  it('resumes when it is of an earlier epoch than the id of the client', async () => {
    const { hub, first } = await joined(COMPACT);
    const { connect } = await serve(hub, { chat: undefined, room: { since: await createHub().position() } });
    const client = await connect(first);
    await client.until(each => dataOf(each).includes('chat 4'));
    expect([dataOf(client), resetsOf(client)]).toEqual([
      ['room 1', 'chat 2', 'room 2', 'chat 3', 'room 3', 'chat 4'],
      [],
    ]);
  });
});

describe('a subscription from { since: id }', () => {
  it('waits for a position that this process has not seen', async () => {
    const log = new MemoryLog();
    const here = hubWith({}, log);
    const there = hubWith({}, log);
    const first = await there.publish('chat', 'chat 1');
    await here.position();
    await there.publish('room', 'room 1');
    const since = await there.publish('other', 'o');
    await there.publish('room', 'room 2');
    const { connect } = await serve(here, { chat: undefined, room: { since } });
    const client = await connect(first);
    await there.publish('room', 'live');
    expect(await until(client, 'live')).toEqual({ data: ['room 2', 'live'], resets: [] });
  });

  async function refusalOf(from: object): Promise<unknown> {
    let refusal: unknown;
    const server = await listen((req, res) => {
      const stream = openStream(req, res, { hub: hubWith({}) });
      try {
        stream.subscribe('room', { from: from as SubscribeOptions['from'] });
      } catch (error) {
        refusal = error;
      }
    });
    running.push(server);
    (await request(server.origin, '/')).reset();
    return refusal;
  }
  const refused = { code: 'invalid-option', message: expect.stringContaining('since') };

  it.each([{ since: 1 }, { since: undefined }])('is refused when it is %j', async from => {
    expect(await refusalOf(from)).toMatchObject(refused);
  });

  it('is refused together with another start', async () => {
    expect(await refusalOf({ since: 'x-1', last: 2 })).toMatchObject(refused);
  });
});
