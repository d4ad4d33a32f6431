import { type ChannelOptions, createHub, type Hub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterEach, describe, expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { FaultyBroker, MemoryLog } from '../support/memory-broker.ts';
import { dataOf, lastIdOf, resetsOf, withId } from '../support/received.ts';
import { listen, type Running } from '../support/server.ts';

const running: Running[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
});

/** One process, or two that share a log: where things are published, and where clients are. */
const settings: [string, (channel?: ChannelOptions) => { hub: Hub; other: Hub }][] = [
  [
    'in one process',
    (channel = {}) => {
      const hub = createHub({ heartbeat: false, onError: () => {}, channels: () => channel });
      return { hub, other: hub };
    },
  ],
  [
    'in two processes',
    (channel = {}) => {
      const log = new MemoryLog();
      const [hub, other] = [0, 1].map(() =>
        createHub({ heartbeat: false, onError: () => {}, channels: () => channel, broker: log.broker() }),
      ) as [Hub, Hub];
      return { hub, other };
    },
  ],
];

/** Every request is subscribed to the channels its path names. */
async function serve(hub: Hub, from?: 'start') {
  const server = await listen((req, res) => {
    const { pathname } = new URL(req.url, 'http://x');
    openStream(req, res, { hub: hub as unknown as Parameters<typeof openStream>[2]['hub'] }).subscribe(
      pathname.slice(1).split(','),
      { from },
    );
  });
  running.push(server);
  return (path: string, lastEventId?: string) => request(server.origin, path, withId(lastEventId));
}

describe.each(settings)('begin() of an ended channel, %s,', (_, make) => {
  it('makes it accept events again', async () => {
    const { hub, other } = make();
    await hub.publish('a', 'first life');
    await hub.channel('a').end();
    await expect(other.publish('a', 'x')).rejects.toMatchObject({ code: 'ended' });
    const id = await other.channel('a').begin();
    expect(id).toMatch(/^[0-9a-z]+-\d+$/);
    await hub.publish('a', 'second life');
    await other.publish('a', 'second life');
    await hub.channel('a').end();
    await expect(other.publish('a', 'x')).rejects.toMatchObject({ code: 'ended' });
  });

  it('drops the entries from before', async () => {
    const { hub, other } = make();
    await hub.publish('a', 'old');
    await hub.channel('a').end();
    await hub.channel('a').begin();
    await hub.publish('a', 'new');
    const connect = await serve(other, 'start');
    const client = await connect('/a');
    await client.until(each => dataOf(each).length > 0);
    expect([dataOf(client), resetsOf(client)]).toEqual([['new'], []]);
  });

  it('drops the old state of a compacted channel', async () => {
    const { hub, other } = make({ compact: true });
    await hub.publish('a', 'old 1', { key: '1' });
    await hub.publish('a', 'old 2', { key: '2' });
    await hub.channel('a').end();
    await hub.channel('a').begin();
    await hub.publish('a', 'new 1', { key: '1' });
    const connect = await serve(other);
    const client = await connect('/a');
    await client.until(each => dataOf(each).length > 0);
    expect([dataOf(client), resetsOf(client)]).toEqual([['new 1'], []]);
  });

  it.each<[string, ChannelOptions]>([
    ['a history', { flushInterval: 1_000 }],
    ['a compacted channel', { flushInterval: 1_000, compact: true }],
  ])('hides the entries from before while new ones wait in a flush window: %s', async (_, options) => {
    const { hub, other } = make(options);
    const connect = await serve(other);
    await hub.publish('a', 'old', { key: 'k' });
    await hub.channel('a').end();
    await hub.channel('a').begin();
    await hub.publish('a', 'new', { key: 'n' });
    const client = await connect('/a', 'zzz-5');
    await client.until(each => dataOf(each).includes('new'));
    expect(resetsOf(client)).toHaveLength(1);
    expect(dataOf(client).filter(data => data === 'old' || data === 'new')).toEqual(['new']);
    client.reset();
  });

  it('lets a client with the id of the end continue', async () => {
    const { hub, other } = make();
    const connect = await serve(other);
    const first = await connect('/a');
    await first.until(({ events }) => events.length > 0);
    await hub.publish('a', 'old');
    await hub.channel('a').end();
    await first.ended;
    const end = lastIdOf(first);
    expect(end).toMatch(/\.$/);
    expect((await connect('/a', end)).status).toBe(204);
    await hub.channel('a').begin();
    await hub.publish('a', 'new');
    const again = await connect('/a', end);
    await hub.publish('a', 'live');
    await again.until(each => dataOf(each).includes('live'));
    expect([dataOf(again), resetsOf(again)]).toEqual([['new', 'live'], []]);
  });

  it('lets a client with the id of the end wait for the first event', async () => {
    const { hub, other } = make();
    await hub.publish('a', 'old');
    const end = `${await hub.channel('a').end()}.`;
    await hub.channel('a').begin();
    const connect = await serve(other);
    const client = await connect('/a', end);
    expect(client.status).toBe(200);
    await hub.publish('a', 'live');
    await client.until(each => dataOf(each).includes('live'));
    expect([dataOf(client), resetsOf(client)]).toEqual([['live'], []]);
  });

  it('sends a history reset to a client that had not received everything before the end', async () => {
    const { hub, other } = make();
    const middle = await hub.publish('a', 'old 1');
    await hub.publish('a', 'old 2');
    await hub.channel('a').end();
    await hub.channel('a').begin();
    await hub.publish('a', 'new');
    const connect = await serve(other);
    const client = await connect('/a', middle);
    await hub.publish('a', 'live');
    await client.until(each => dataOf(each).includes('live'));
    expect([dataOf(client), resetsOf(client)]).toEqual([
      ['new', 'live'],
      [{ reason: 'history', channels: ['a'] }],
    ]);
  });

  it('sends a history reset to a client that missed a whole begin and end', async () => {
    const { hub, other } = make();
    await hub.publish('a', 'life 1');
    const end = `${await hub.channel('a').end()}.`;
    await hub.channel('a').begin();
    await hub.publish('a', 'life 2');
    await hub.channel('a').end();
    await hub.channel('a').begin();
    await hub.publish('a', 'life 3');
    const connect = await serve(other);
    const client = await connect('/a', end);
    await client.until(each => dataOf(each).length > 0);
    expect([dataOf(client), resetsOf(client)]).toEqual([
      ['life 3'],
      [{ reason: 'history', channels: ['a'] }],
    ]);
  });

  it('ends the streams of the reopened channel with an end of their own', async () => {
    const { hub, other } = make();
    await hub.publish('a', 'old');
    const end = `${await hub.channel('a').end()}.`;
    await hub.channel('a').begin();
    const connect = await serve(other);
    const client = await connect('/a', end);
    await hub.publish('a', 'new');
    const second = `${await hub.channel('a').end()}.`;
    expect(await client.ended).toBe(true);
    expect([dataOf(client), lastIdOf(client)]).toEqual([['new'], second]);
    expect((await connect('/a', second)).status).toBe(204);
    // It has not had the new life.
    const behind = await connect('/a', end);
    expect([await behind.ended, dataOf(behind)]).toEqual([true, ['new']]);
  });

  it('delivers the reopened channel to streams that follow another channel as well', async () => {
    const { hub, other } = make();
    const connect = await serve(other);
    const client = await connect('/a,b');
    await client.until(({ events }) => events.length > 0);
    await hub.publish('a', 'old');
    await hub.channel('a').end();
    await hub.channel('a').begin();
    await hub.publish('a', 'new');
    await hub.publish('b', 'live');
    await client.until(each => dataOf(each).includes('live'));
    expect([dataOf(client), resetsOf(client)]).toEqual([['old', 'new', 'live'], []]);
  });

  it('precedes the events that are published in the same tick', async () => {
    const { hub, other } = make();
    await hub.publish('a', 'old');
    const a = hub.channel('a');
    const calls = [a.end(), a.begin(), a.publish('new'), a.end(), a.begin(), a.publish('newest')];
    const positions = (await Promise.all(calls)).map(id => Number(id.split('-')[1]));
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
    const connect = await serve(other, 'start');
    const client = await connect('/a');
    await client.until(each => dataOf(each).length > 0);
    expect(dataOf(client)).toEqual(['newest']);
  });
});

describe.each(settings)('begin() of a channel that has not ended, %s,', (_, make) => {
  it('changes nothing', async () => {
    const { hub, other } = make();
    const first = await hub.publish('a', 'one');
    const id = await hub.publish('a', 'two');
    await hub.publish('b', 'other');
    const before = await hub.position();
    expect(await other.channel('a').begin()).toBe(id);
    expect(await hub.position()).toBe(before);
    const connect = await serve(other);
    const client = await connect('/a', first);
    await hub.publish('a', 'live');
    await client.until(each => dataOf(each).includes('live'));
    expect([dataOf(client), resetsOf(client)]).toEqual([['two', 'live'], []]);
  });

  it('leaves an unknown channel unknown', async () => {
    const { hub, other } = make();
    await hub.publish('b', 'other');
    expect(await hub.channel('a').begin()).toBe(await other.position());
    expect(await other.channel('a').state()).toBe('unknown');
  });
});

describe.each(settings)('state() of a channel, %s,', (_, make) => {
  it('is unknown, open, ended, and open again', async () => {
    const { hub, other } = make();
    const states = async () => [await hub.channel('a').state(), await other.channel('a').state()];
    expect(await states()).toEqual(['unknown', 'unknown']);
    await hub.publish('a', 1);
    expect(await states()).toEqual(['open', 'open']);
    await other.channel('a').end();
    expect(await states()).toEqual(['ended', 'ended']);
    await hub.channel('a').begin();
    expect(await states()).toEqual(['open', 'open']);
  });

  it('is not changed by a subscription', async () => {
    const { hub, other } = make();
    const connect = await serve(other);
    const client = await connect('/a');
    await client.until(({ events }) => events.length > 0);
    expect([await hub.channel('a').state(), await other.channel('a').state()]).toEqual([
      'unknown',
      'unknown',
    ]);
    client.reset();
  });
});

describe('begin() and state()', () => {
  it('reject at the deadline when the broker is unreachable', async () => {
    const faulty = new FaultyBroker(new MemoryLog().broker());
    faulty.goAway();
    const hub = createHub({ broker: faulty.broker, publishTimeout: 100, onError: () => {} });
    const codes = await Promise.all(
      [hub.channel('a').begin(), hub.channel('a').state()].map(call =>
        call.then(
          () => 'done',
          error => [error.name, error.code],
        ),
      ),
    );
    expect(codes).toEqual([
      ['TidingsError', 'not-stored'],
      ['TidingsError', 'broker'],
    ]);
  });

  it('begin() rejects when the hub is closed', async () => {
    const hub = createHub({ onError: () => {} });
    await hub.close();
    await expect(hub.channel('a').begin()).rejects.toMatchObject({ code: 'closed' });
  });
});
