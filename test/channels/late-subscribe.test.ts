import { setImmediate as turn } from 'node:timers/promises';
import { type ChannelOptions, createHub, type EventStream, type HubOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterEach, describe, expect, it } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { MemoryLog } from '../support/memory-broker.ts';
import { dataOf, lastIdOf, resetsOf, withId } from '../support/received.ts';
import { listen, type Running } from '../support/server.ts';

// `const stream = res.sse(); const user = await load(); stream.subscribe(…)`

const running: Running[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
});

const hubWith = (options: HubOptions = {}) => createHub({ heartbeat: false, onError: () => {}, ...options });
type Hub = ReturnType<typeof hubWith>;

/** Opens a stream, and gives it to `use` when its client has the headers. */
async function afterHeaders(
  hub: Hub,
  lastEventId: string | undefined,
  use: (stream: EventStream) => unknown,
  path = '/',
): Promise<Client> {
  let responding: Promise<Client> | undefined;
  const server = await listen(async (req, res) => {
    const stream = openStream(req, res, { hub });
    await responding;
    await use(stream);
  });
  running.push(server);
  responding = request(server.origin, path, withId(lastEventId));
  return responding;
}

const outcome = async (client: Client, last: string) => {
  await client.until(each => dataOf(each).includes(last));
  return { data: dataOf(client), resets: resetsOf(client) };
};

describe.each([
  ['without a broker', () => undefined],
  ['with a broker', () => new MemoryLog().broker()],
])('the first subscriptions of a stream, made after the headers, %s', (_, broker) => {
  it('resume after the last event id', async () => {
    const hub = hubWith({ broker: broker() });
    const id = await hub.publish('a', 'seen');
    await hub.publish('a', 'missed a');
    await hub.publish('b', 'missed b');
    const client = await afterHeaders(hub, id, stream => stream.subscribe('a').subscribe('b'));
    await client.until(({ events }) => events.length > 0);
    await hub.publish('b', 'live');
    expect(await outcome(client, 'live')).toEqual({ data: ['missed a', 'missed b', 'live'], resets: [] });
  });

  it('send a reset for an unknown id', async () => {
    const hub = hubWith({ broker: broker() });
    await hub.publish('a', 'kept');
    const client = await afterHeaders(hub, 'x-1', stream => stream.subscribe('a'));
    await client.until(({ events }) => events.length > 0);
    await hub.publish('a', 'live');
    expect(await outcome(client, 'live')).toEqual({
      data: ['kept', 'live'],
      resets: [{ reason: 'unknown', channels: ['a'] }],
    });
  });

  it('send a reset for an id whose history has been trimmed', async () => {
    const hub = hubWith({ broker: broker(), history: { events: 2 } });
    const id = await hub.publish('a', 'seen');
    for (let i = 1; i <= 5; i++) {
      await hub.publish('a', i);
      await turn();
    }
    const client = await afterHeaders(hub, id, stream => stream.subscribe('a'));
    await client.until(({ events }) => events.length > 0);
    await hub.publish('a', 'live');
    const { data, resets } = await outcome(client, 'live');
    expect(resets).toEqual([{ reason: 'history', channels: ['a'] }]);
    expect(data.slice(-3)).toEqual(['4', '5', 'live']);
  });

  it('send a reset for the id of a backfill', async () => {
    const hub = hubWith({ broker: broker(), channels: () => ({ compact: true }) });
    const id = await hub.publish('a', 'state', { key: 'k' });
    const client = await afterHeaders(hub, `${id}~`, stream => stream.subscribe('a'));
    await client.until(({ events }) => events.length > 0);
    await hub.publish('a', 'live', { key: 'l' });
    expect(await outcome(client, 'live')).toEqual({
      data: ['state', 'live'],
      resets: [{ reason: 'interrupted', channels: ['a'] }],
    });
  });
});

describe('the first subscriptions of a stream, made after the headers', () => {
  it('resume after an id of the query', async () => {
    const hub = hubWith();
    const id = await hub.publish('a', 'seen');
    await hub.publish('a', 'missed');
    const client = await afterHeaders(hub, undefined, stream => stream.subscribe('a'), `/?lastEventId=${id}`);
    await client.until(({ events }) => events.length > 0);
    await hub.publish('a', 'live');
    expect(await outcome(client, 'live')).toEqual({ data: ['missed', 'live'], resets: [] });
  });

  it.each(['now', 'start', { last: 1 }] as const)('resume and ignore from: %j', async from => {
    const hub = hubWith();
    await hub.publish('a', 'before');
    const id = await hub.publish('a', 'seen');
    await hub.publish('a', 'missed 1');
    await hub.publish('a', 'missed 2');
    const client = await afterHeaders(hub, id, stream => stream.subscribe('a', { from }));
    await client.until(({ events }) => events.length > 0);
    await hub.publish('a', 'live');
    expect(await outcome(client, 'live')).toEqual({ data: ['missed 1', 'missed 2', 'live'], resets: [] });
  });

  it('begin after the id that the application passes', async () => {
    const hub = hubWith();
    const id = await hub.publish('a', 'seen');
    const after = await hub.publish('a', 'known otherwise');
    await hub.publish('a', 'missed');
    const client = await afterHeaders(hub, id, stream => stream.subscribe('a', { from: { after } }));
    await hub.publish('a', 'live');
    expect(await outcome(client, 'live')).toEqual({ data: ['missed', 'live'], resets: [] });
  });

  it('resume, and keep the order of events that the application sent before', async () => {
    const hub = hubWith();
    const id = await hub.publish('a', 'seen');
    await hub.publish('a', 'missed');
    const client = await afterHeaders(hub, id, stream => {
      stream.send('hello');
      stream.subscribe('a');
      stream.send('sent');
    });
    await client.until(each => dataOf(each).includes('sent'));
    await hub.publish('a', 'live');
    expect(await outcome(client, 'live')).toEqual({ data: ['hello', 'missed', 'sent', 'live'], resets: [] });
  });

  it('resume without gaps or duplicates after a broken connection in between', async () => {
    const hub = hubWith();
    const id = await hub.publish('a', 'seen');
    await hub.publish('a', 'missed 1');
    const first = await afterHeaders(hub, id, stream => stream.subscribe('a'));
    await first.until(({ events }) => events.length > 0);
    first.reset();
    await first.ended;
    await hub.publish('a', 'missed 2');
    const second = await afterHeaders(hub, lastIdOf(first), stream => stream.subscribe('a'));
    await hub.publish('a', 'live');
    expect(await outcome(second, 'live')).toEqual({ data: ['missed 2', 'live'], resets: [] });
  });

  it('do not change the id of a client until they are made', async () => {
    const hub = hubWith({ heartbeat: 10 });
    const id = await hub.publish('a', 'seen');
    await hub.publish('a', 'missed');
    const client = await afterHeaders(hub, id, () => {});
    await client.until(({ comments }) => comments.length >= 3);
    expect(lastIdOf(client)).toBeUndefined();
  });

  it('count as replayed, and are observed', async () => {
    let replayed = 0;
    const hub = hubWith({ observer: { replayed: () => (replayed += 1) } });
    const id = await hub.publish('a', 'seen');
    await hub.publish('a', 'missed');
    const client = await afterHeaders(hub, id, stream => stream.subscribe('a'));
    await client.until(({ events }) => events.length > 0);
    expect([hub.stats().replayed, replayed]).toEqual([1, 1]);
  });
});

describe('a subscription in a later tick than the first', () => {
  it('begins now, after the headers', async () => {
    const hub = hubWith();
    const id = await hub.publish('a', 'seen');
    await hub.publish('a', 'missed a');
    await hub.publish('b', 'missed b');
    const client = await afterHeaders(hub, id, async stream => {
      stream.subscribe('a');
      await turn();
      stream.subscribe('b');
    });
    // Both subscriptions are made before this.
    await client.until(({ events }) => events.length > 0);
    for (let turns = 0; turns < 5; turns++) await turn();
    await hub.publish('b', 'live');
    const { data, resets } = await outcome(client, 'live');
    expect([data.includes('missed b'), resets]).toEqual([false, []]);
  });

  it('begins now, before the headers', async () => {
    const hub = hubWith();
    const id = await hub.publish('a', 'seen');
    await hub.publish('a', 'missed a');
    await hub.publish('b', 'missed b');
    const server = await listen(async (req, res) => {
      const stream = openStream(req, res, { hub }).subscribe('a');
      await turn();
      stream.subscribe('b');
    });
    running.push(server);
    const client = await request(server.origin, '/', withId(id));
    await hub.publish('b', 'live');
    expect(await outcome(client, 'live')).toEqual({ data: ['missed a', 'live'], resets: [] });
  });
});

describe('a stream whose channels have ended', () => {
  async function endedHub(channels?: ChannelOptions) {
    const hub = hubWith({ channels: () => channels ?? {} });
    const first = await hub.publish('a', 'first');
    await hub.publish('a', 'last');
    const end = `${await hub.channel('a').end()}.`;
    return { hub, first, end };
  }

  it('gets 204 for the end of a source, if nothing is subscribed when the headers are sent', async () => {
    const client = await afterHeaders(hubWith(), 'end.', () => {});
    expect(client.status).toBe(204);
  });

  it('ends with the end marker after a late first subscription, for a client with the id of the end', async () => {
    const { hub, end } = await endedHub();
    const client = await afterHeaders(hub, end, stream => stream.subscribe('a'));
    expect(await client.ended).toBe(true);
    expect([client.status, lastIdOf(client), dataOf(client), resetsOf(client)]).toEqual([200, end, [], []]);
  });

  it('ends with the end marker after the missed events', async () => {
    const { hub, first, end } = await endedHub();
    const client = await afterHeaders(hub, first, stream => stream.subscribe('a'));
    expect(await client.ended).toBe(true);
    expect([lastIdOf(client), dataOf(client), resetsOf(client)]).toEqual([end, ['last'], []]);
  });

  it('ends with the end marker for a client without an id', async () => {
    const { hub, end } = await endedHub();
    const client = await afterHeaders(hub, undefined, stream => stream.subscribe('a'));
    expect(await client.ended).toBe(true);
    expect([lastIdOf(client), dataOf(client)]).toEqual([end, []]);
  });
});
