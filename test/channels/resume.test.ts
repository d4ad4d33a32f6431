import http from 'node:http';
import { createHub, type Hub, type HubOptions, type SubscribeOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterEach, describe, expect, it } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { MemoryLog } from '../support/memory-broker.ts';
import { listen, type Running } from '../support/server.ts';

let server: Running;
afterEach(() => server.kill());

/** Every request is subscribed to the channels its path names. */
async function serve(hub: Hub, options?: SubscribeOptions): Promise<void> {
  server = await listen((req, res) => {
    const { pathname } = new URL(req.url, 'http://x');
    openStream(req, res, { hub }).subscribe(pathname.slice(1).split(','), options);
  });
}

const connect = (path: string, lastEventId?: string) =>
  request(
    server.origin,
    path,
    lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } },
  );

/** What handlers see: no markers. */
const seen = ({ events }: Client) => events.filter(({ event }) => event !== 'tidings');
const data = (client: Client) => seen(client).map(event => event.data);
/** An EventSource keeps the id of the last event that had one. */
const lastId = ({ events }: Client) => events.findLast(({ id }) => id !== undefined)?.id;
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

describe('a client that reconnects', () => {
  it.each([
    ['one channel', '/a', ['a']],
    ['several channels', '/a,b,c', ['a', 'b', 'c']],
  ])(
    'receives every event once and in order, however often it disconnects, on %s',
    async (_, path, channels) => {
      const hub = createHub({ history: { events: 4_000 } });
      await serve(hub);
      const total = 3_000;
      let published = 0;
      const clients = Array.from({ length: 40 }, async (_, i) => {
        const received: string[] = [];
        let id: string | undefined;
        for (let cut = 0; ; cut++) {
          const client = await connect(path, id);
          const last = String(total);
          const stopAt = published + ((i * 37 + cut * 101) % 300);
          await client.until(
            each =>
              data(each).includes(last) || (seen(each).length > 0 && Number(data(each).at(-1)) >= stopAt),
          );
          received.push(...data(client));
          id = lastId(client);
          client.reset();
          await client.ended;
          if (received.includes(last)) return received;
        }
      });
      // Nobody has missed the first events.
      while (hub.streams.size < 40) await new Promise(resolve => setTimeout(resolve, 5));
      await new Promise(resolve => setTimeout(resolve, 50));
      while (published < total) {
        for (let i = 0; i < 1 + (published % 7) && published < total; i++) {
          published += 1;
          hub.publish(channels[published % channels.length] as string, published);
        }
        await new Promise(resolve => setTimeout(resolve, 1));
      }
      for (const received of await Promise.all(clients)) expect(received).toEqual(numbers(1, total));
    },
  );

  it('without an id receives new events, and with the id of its first marker all events since', async () => {
    const hub = createHub();
    await serve(hub);
    hub.publish('a', 'before');
    const client = await connect('/a');
    await client.until(({ events }) => events.length === 1);
    expect(client.events[0]).toMatchObject({ event: 'tidings', data: '' });
    const id = lastId(client);
    client.reset();
    await client.ended;
    hub.publish('a', 'missed');
    const again = await connect('/a', id);
    await again.until(each => seen(each).length === 1);
    expect(data(again)).toEqual(['missed']);
  });

  it('receives no reset for events of other channels, or behind its filter', async () => {
    const hub = createHub({ heartbeat: 20, history: { events: 10 } });
    await serve(hub, { filter: ({ data }) => data === 'wanted' });
    const client = await connect('/quiet,busy');
    for (let i = 0; i < 2_000; i++) hub.publish(i % 2 ? 'busy' : 'other', i);
    const position = await hub.position();
    await client.until(each => lastId(each) === position);
    client.reset();
    await client.ended;
    hub.publish('busy', 'wanted');
    const again = await connect('/quiet,busy', lastId(client));
    await again.until(each => seen(each).length === 1);
    expect(data(again)).toEqual(['wanted']);
  });

  const ids: [string, (hub: Hub) => Promise<string> | string][] = [
    ['unknown', () => '17'],
    ['malformed', () => 'ü-1-~'],
    ['foreign', () => createHub().position()],
    ['future', async hub => (await hub.position()).replace(/\d+$/, '99999')],
    ['4 KB long', () => 'x'.repeat(4096)],
    ['old', async hub => (await hub.position()).replace(/\d+$/, '1')],
    ['of a backfill', async hub => `${await hub.position()}~`],
  ];
  const logs: [string, () => HubOptions][] = [
    ['in this process', () => ({})],
    ['of a broker', () => ({ broker: new MemoryLog().broker() })],
  ];
  const cases = logs.flatMap(([log, options]) =>
    ids.map(([name, makeId]) => ({ log, options, name, makeId })),
  );
  it.each(cases)(
    'with an id that is $name receives one reset and the retained events, log $log',
    async ({ name, options, makeId }) => {
      const hub = createHub({ ...options(), history: { events: 3 } });
      // Part of a backfill was received, so the next one needs to begin at the start as well.
      await serve(hub, name === 'of a backfill' ? { from: 'start' } : {});
      for (let i = 1; i <= 5; i++) await hub.publish('a', i);
      await new Promise(setImmediate);
      const id = Buffer.from(await makeId(hub)).toString('latin1');
      const client = await connect('/a', id);
      hub.publish('a', 'live');
      await client.until(each => data(each).includes('live'));
      expect(client.status).toBe(200);
      expect(seen(client).filter(({ event }) => event === 'reset')).toHaveLength(1);
      expect(seen(client)[0]).toMatchObject({ event: 'reset' });
      expect(data(client).slice(1)).toEqual(['3', '4', '5', 'live']);
    },
  );
});

describe('a channel', () => {
  const live = async (options: HubOptions) => {
    const hub = createHub(options);
    await serve(hub);
    const clients = await Promise.all([connect('/a'), connect('/a')]);
    for (const client of clients) await client.until(({ events }) => events.length === 1);
    return { hub, clients };
  };

  it.each([{ history: { events: 256 } }, { history: false as const }])(
    'delivers all of 500 events published in one tick to every live stream (%j)',
    async options => {
      const { hub, clients } = await live(options);
      for (let i = 1; i <= 500; i++) hub.publish('a', i);
      for (const client of clients) {
        await client.until(each => seen(each).length === 500);
        expect(data(client)).toEqual(numbers(1, 500));
      }
    },
  );

  it('that is compacted sends new clients its state, and then changes', async () => {
    const hub = createHub({ channels: () => ({ compact: true }) });
    await serve(hub);
    for (let i = 0; i < 1_000; i++) hub.publish('a', i, { event: `sensor ${i % 3}` });
    hub.publish('a', null, { event: 'sensor 1', gone: true });
    const client = await connect('/a');
    await client.until(each => seen(each).length === 3);
    hub.publish('a', 'new', { event: 'sensor 2' });
    await client.until(each => seen(each).length === 4);
    expect(seen(client).map(({ event, data }) => [event, data])).toEqual([
      ['sensor 2', '998'],
      ['sensor 0', '999'],
      ['sensor 1', 'null'],
      ['sensor 2', 'new'],
    ]);
  });

  it('that ends, ends its streams, and stops their clients with 204', async () => {
    const { hub, clients } = await live({});
    hub.publish('a', 'last');
    await hub.channel('a').end();
    const agent = new http.Agent();
    for (const client of clients) {
      expect(await client.ended).toBe(true);
      expect(data(client)).toEqual(['last']);
      const again = await request(server.origin, '/a', {
        agent,
        headers: { 'last-event-id': lastId(client) as string },
      });
      expect(again.status).toBe(204);
    }
    const lacking = await connect('/a', clients[0]?.events[0]?.id);
    expect(await lacking.ended).toBe(true);
    expect(data(lacking)).toEqual(['last']);
    await expect(hub.publish('a', 'more')).rejects.toMatchObject({ code: 'ended' });
  });

  it('with a snapshot sends the state, and the events since the call', async () => {
    let state = 0;
    const hub = createHub({
      channels: () => ({
        async snapshot() {
          const now = state;
          await new Promise(resolve => setTimeout(resolve, 30));
          return now;
        },
      }),
    });
    await serve(hub);
    const publish = () => {
      state += 1;
      hub.publish('a', state, { event: 'change' });
    };
    for (let i = 0; i < 5; i++) publish();
    const client = await connect('/a');
    publish();
    await client.until(each => seen(each).length === 2);
    expect(seen(client).map(({ event, data }) => [event, data])).toEqual([
      ['snapshot', '5'],
      ['change', '6'],
    ]);
  });

  it('with a `snapshotEvent` sends its snapshot with that name', async () => {
    const hub = createHub({
      channels: name => ({ snapshot: () => `state of ${name}`, snapshotEvent: `all ${name}` }),
    });
    await serve(hub);
    const client = await connect('/a,b');
    await client.until(each => seen(each).length === 2);
    expect(seen(client).map(({ event, data }) => [event, data])).toEqual([
      ['all a', 'state of a'],
      ['all b', 'state of b'],
    ]);
  });
});
