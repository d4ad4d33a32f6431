import { setTimeout as pause } from 'node:timers/promises';
import { createHub, type Hub, type HubOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterEach, describe, expect, it } from 'vitest';
import { type Client, eventually, request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';
import { describeWith } from '../support/system.ts';
import { broker, current } from './redis-clients.ts';
import { REDIS, RedisServer } from './redis-server.ts';

/** What handlers see: no markers. */
const seen = ({ events }: Client) => events.filter(({ event }) => event !== 'tidings');
const data = (client: Client) => seen(client).map(event => event.data);
const lastId = ({ events }: Client) => events.findLast(({ id }) => id !== undefined)?.id;

describeWith(REDIS, 'hubs on Redis', () => {
  describe.each(current)('$name', ({ client }) => {
    const ending: (() => unknown)[] = [];
    afterEach(async () => {
      for (const end of ending.splice(0).reverse()) await end();
    });

    async function redis(...args: string[]): Promise<RedisServer> {
      const server = await RedisServer.start(...args);
      ending.push(() => server.remove());
      return server;
    }
    /** A node: its hub, behind a server where every request is subscribed to the channels its path names. */
    async function node(server: RedisServer, options: HubOptions = {}): Promise<{ hub: Hub; at: Running }> {
      const hub = createHub({ broker: broker(client(server.url), 'hub'), onError: () => {}, ...options });
      const at = await listen((req, res) => {
        const { pathname } = new URL(req.url, 'http://x');
        openStream(req, res, { hub }).subscribe(pathname.slice(1).split(','));
      });
      ending.push(async () => {
        at.kill();
        await hub.close({ within: 0 });
      });
      return { hub, at };
    }
    const connect = ({ at }: { at: Running }, path: string, id?: string) =>
      request(at.origin, path, id === undefined ? {} : { headers: { 'last-event-id': id } });

    it('resume a client in another process, with the same ids', async () => {
      const server = await redis();
      const [a, b] = [await node(server), await node(server)];
      const one = await connect(a, '/x');
      const other = await connect(b, '/x');
      await one.until(({ events }) => events.length === 1);
      await other.until(({ events }) => events.length === 1);
      const id = await a.hub.publish('x', 1);
      await one.until(each => data(each).length === 1);
      await other.until(each => data(each).length === 1);
      expect([lastId(one), lastId(other)]).toEqual([id, id]);
      one.reset();
      await b.hub.publish('x', 2);
      await b.hub.publish('x', 3);
      const back = await connect(b, '/x', id);
      await back.until(each => data(each).length === 2);
      expect(data(back)).toEqual(['2', '3']);
    });

    it('apply `except` and disconnect a client in every process', async () => {
      const server = await redis();
      const hubs = [await node(server), await node(server)];
      const [a, b] = hubs as [(typeof hubs)[0], (typeof hubs)[0]];
      const own = await listen((req, res) => {
        openStream(req, res, {
          hub: b.hub,
          client: new URL(req.url, 'http://x').pathname.slice(1),
        }).subscribe('x');
      });
      ending.push(() => own.kill());
      const ann = await request(own.origin, '/ann');
      const bob = await request(own.origin, '/bob');
      for (const each of [ann, bob]) await each.until(({ events }) => events.length === 1);
      await a.hub.publish('x', 'not for ann', { except: 'ann' });
      await a.hub.publish('x', 'for both');
      for (const each of [ann, bob]) await each.until(each => data(each).includes('for both'));
      expect(data(ann)).toEqual(['for both']);
      expect(data(bob)).toEqual(['not for ann', 'for both']);
      a.hub.clients.disconnect('ann');
      expect(await ann.ended).toBe(true);
      expect([...b.hub.streams].map(stream => stream.client)).toEqual(['bob']);
    });

    it('deliver accepted events once and in order, while connections are lost and Redis restarts', async () => {
      const server = await redis('--appendonly', 'yes', '--appendfsync', 'always');
      // More than a process receives while it waits for the machine.
      const history = { channels: () => ({ history: { events: 100_000, bytes: 1e8 } }) };
      const nodes = await Promise.all(Array.from({ length: 4 }, () => node(server, history)));
      const publisher = nodes.pop() as (typeof nodes)[0];
      const channels = ['x', 'y', 'z'];
      let isOver = false;
      const resets: string[] = [];
      const clients = Array.from({ length: 24 }, async (_, index) => {
        const received: string[] = [];
        let id: string | undefined;
        for (let turn = index; ; turn++) {
          const each = await connect(nodes[turn % 3] as (typeof nodes)[0], '/x,y,z', id);
          // A client that disconnects without an id would start with what is published then.
          const hasId = each.until(current => (id ?? lastId(current)) !== undefined).catch(() => {});
          const leave = hasId.then(() => pause(100 + ((index * 37 + turn * 101) % 400))).then(() => !isOver);
          const ended = each.until(
            current => data(current).includes('"last"') || data(current).includes('last'),
          );
          const hasLeft = await Promise.race([leave, ended.then(() => false)]);
          if (!hasLeft) await ended;
          received.push(...data(each));
          resets.push(
            ...seen(each)
              .filter(({ event }) => event === 'reset')
              .map(event => event.data),
          );
          id = lastId(each) ?? id;
          each.reset();
          await ended.catch(() => {});
          if (!hasLeft) return received;
        }
      });
      const isOpen = () => nodes.reduce((sum, { hub }) => sum + hub.streams.size, 0) === 24;
      await eventually(isOpen);
      await pause(300);
      const accepted: string[] = [];
      const unknown = new Set<string>();
      const publish = (text: string, channel: string) =>
        publisher.hub.publish(channel, text).then(
          () => accepted.push(text),
          error => error.code === 'maybe-stored' && unknown.add(text),
        );
      const troubles = (async () => {
        for (let round = 0; round < 2; round++) {
          await pause(400);
          server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
          await pause(400);
          server.cli('CLIENT', 'KILL', 'TYPE', 'normal');
          await pause(400);
          await server.kill();
          await server.start();
        }
      })();
      for (let count = 0; count < 2_000; count++) {
        const sent = publish(`${count}`, channels[count % 3] as string);
        if (count % 7 === 0) await sent;
        if (count % 5 === 0) await pause(2);
      }
      await troubles;
      await pause(500);
      isOver = true;
      await publish('last', 'x');
      const all = await Promise.all(clients);
      expect(resets).toEqual([]);
      for (const received of all) {
        expect(received.filter(text => !unknown.has(text))).toEqual(accepted);
      }
      expect(accepted.length).toBeGreaterThan(1_900);
    });

    it('keep streams open while Redis is unreachable, and reset them if it is empty afterwards', async () => {
      const server = await redis();
      const a = await node(server, { heartbeat: 100, publishTimeout: 200 });
      const one = await connect(a, '/x');
      await one.until(({ events }) => events.length === 1);
      await a.hub.publish('x', 1);
      await one.until(each => data(each).length === 1);
      await server.kill();
      await pause(100);
      await expect(a.hub.publish('x', 2)).rejects.toMatchObject({ code: 'not-stored' });
      const { length } = one.comments;
      await one.until(({ comments }) => comments.length > length + 2);
      await server.start();
      await one.until(({ events }) => events.some(({ event }) => event === 'reset'));
      for (;;) {
        const isStored = await a.hub.publish('x', 3).then(
          () => true,
          () => false,
        );
        if (isStored) break;
      }
      await one.until(each => data(each).includes('3'));
      expect(seen(one).filter(({ event }) => event === 'reset')).toHaveLength(1);
    });
  });
});
