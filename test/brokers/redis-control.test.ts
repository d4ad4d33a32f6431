import { createHub, type Hub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { describe, expect, it } from 'vitest';
import { type Client, eventually, request } from '../support/client.ts';
import { dataOf } from '../support/received.ts';
import { listen } from '../support/server.ts';
import { describeWith } from '../support/system.ts';
import { broker, current } from './redis-clients.ts';
import { REDIS } from './redis-server.ts';
import { setUp } from './redis-setup.ts';

describeWith(REDIS, 'control messages over Redis', () => {
  describe.each(current)('$name', ({ client }) => {
    const { atEnd, redis, proxyTo } = setUp(client);

    function hubAt({ url }: { url: string }, options = {}): Hub {
      const hub = createHub({ broker: broker(client(url), 'hub'), onError: () => {}, ...options });
      atEnd(() => hub.close({ within: 0 }));
      return hub;
    }

    /** Opens a stream of a client (of nobody: ''), subscribed to the channels; without channels it only sends. */
    async function open(hub: Hub, owner: string, ...channels: string[]): Promise<Client> {
      const at = await listen((req, res) => {
        const stream = openStream(req, res, { hub, client: owner === '' ? undefined : owner });
        if (channels.length > 0) stream.subscribe(channels, { from: 'start' });
        else stream.send('hello');
      });
      atEnd(() => at.kill());
      return request(at.origin, '/');
    }
    const hasBegun = (each: Client) => each.until(({ events }) => events.length > 0);

    it('disconnect a client of a process that lost its connection, before it delivers later events', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const [a, b] = [hubAt(server), hubAt(proxy)];
      const bob = await open(b, 'bob', 'x');
      await hasBegun(bob);
      for (let round = 0; round < 10; round++) {
        const ann = [await open(b, 'ann', 'x'), await open(b, 'ann')];
        await Promise.all(ann.map(hasBegun));
        // Every other time, only the subscription is interrupted.
        if (round % 2 === 0) proxy.stall();
        else proxy.muteSubscriptions();
        await a.publish('x', `before ${round}`);
        await a.clients.disconnect('ann');
        await a.publish('x', `after ${round}`);
        proxy.cut();
        proxy.resume();
        expect(await Promise.all(ann.map(({ ended }) => ended))).toEqual([true, true]);
        expect(dataOf(ann[0] as Client)).not.toContain(`after ${round}`);
        await bob.until(each => dataOf(each).includes(`after ${round}`));
      }
    });

    it('are stored by a hub that has not started', async () => {
      const server = await redis();
      const ann = await open(hubAt(server), 'ann', 'x');
      await hasBegun(ann);
      await hubAt(server).clients.disconnect('ann');
      expect(await ann.ended).toBe(true);
    });

    it('reach a process that has no subscriptions', async () => {
      const server = await redis();
      const b = hubAt(server);
      const [ann, bob] = [await open(b, 'ann'), await open(b, 'bob')];
      await Promise.all([ann, bob].map(hasBegun));
      await eventually(() => b.stats().broker?.connected === true);
      await hubAt(server).clients.disconnect('ann');
      expect(await ann.ended).toBe(true);
      expect([...b.streams].map(stream => stream.client)).toEqual(['bob']);
    });

    it('apply to streams that were opened before the hub had started', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const [a, b] = [hubAt(server), hubAt(proxy)];
      proxy.stall();
      const ann = [await open(b, 'ann'), await open(b, 'ann', 'x')];
      const bob = await open(b, 'bob', 'x');
      await a.clients.disconnect('ann');
      await a.publish('x', 'after');
      proxy.resume();
      expect(await Promise.all(ann.map(({ ended }) => ended))).toEqual([true, true]);
      expect(ann.flatMap(dataOf)).toEqual(['hello']);
      await bob.until(each => dataOf(each).includes('after'));
    });

    it('end the streams of all clients once they are lost, and no others', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const [a, b] = [hubAt(server), hubAt(proxy)];
      const nobody = await open(b, '', 'x');
      const owners = Array.from({ length: 20 }, (_, index) => `client ${index}`);
      const streams = await Promise.all(owners.map(owner => open(b, owner, 'x')));
      await Promise.all([nobody, ...streams].map(hasBegun));
      proxy.stall();
      // More than the control channel retains, and all of them for somebody else.
      await Promise.all(Array.from({ length: 1_001 }, (_, index) => a.clients.disconnect(`other ${index}`)));
      await a.publish('x', 'after');
      proxy.cut();
      proxy.resume();
      await nobody.until(each => dataOf(each).includes('after'));
      expect(new Set(await Promise.all(streams.map(({ ended }) => ended)))).toEqual(new Set([true]));
      expect(streams.flatMap(dataOf)).toEqual([]);
      // Each is told to reconnect at another time.
      const retries = streams.map(({ retries }) => retries.at(-1) as number);
      expect(new Set(retries).size).toBeGreaterThan(15);
      for (const retry of retries) {
        expect(retry).toBeGreaterThanOrEqual(1_000);
        expect(retry).toBeLessThanOrEqual(15_000);
      }
      expect(b.streams.size).toBe(1);
    });

    it('end the streams of all clients in a new epoch', async () => {
      const server = await redis();
      const b = hubAt(server);
      const [ann, nobody] = [await open(b, 'ann', 'x'), await open(b, '', 'x')];
      await Promise.all([ann, nobody].map(hasBegun));
      server.cli('FLUSHALL');
      expect(await ann.ended).toBe(true);
      await nobody.until(({ events }) => events.some(({ event }) => event === 'reset'));
    });

    it('end no stream during an outage of Redis', async () => {
      const server = await redis('--appendonly', 'yes', '--appendfsync', 'always');
      const b = hubAt(server);
      const ann = await open(b, 'ann', 'x');
      await hasBegun(ann);
      await server.kill();
      await eventually(() => b.stats().broker?.connected === false);
      await server.start();
      await eventually(() => b.stats().broker?.connected === true);
      await b.publish('x', 'after');
      await ann.until(each => dataOf(each).includes('after'));
    });

    it('are read from the first call of hub.clients', async () => {
      const server = await redis();
      const b = hubAt(server);
      expect(b.clients.has('ann')).toBe(false);
      await eventually(() => b.stats().broker?.connected === true);
    });
  });
});
