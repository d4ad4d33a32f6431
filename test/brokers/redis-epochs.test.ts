import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/client.ts';
import { describeWith } from '../support/system.ts';
import { publishAlways } from './publish-always.ts';
import { draft } from './recorder.ts';
import { current } from './redis-clients.ts';
import { REDIS } from './redis-server.ts';
import { setUp } from './redis-setup.ts';

describeWith(REDIS, 'epochs and breaks in Redis', () => {
  describe.each(current)('$name', ({ client }) => {
    const { redis, replicaOf, proxyTo, node } = setUp(client);

    it('start a new epoch when Redis was emptied, detected by a probe or a publish', async () => {
      const server = await redis();
      const [a, b] = [await node(server), await node(server)];
      await b.broker.open(new Map([['x', 0]]));
      await a.publish(draft('x', '1'), draft('x', '2'));
      await b.sink.until(() => b.sink.list.length === 2);
      server.cli('FLUSHALL');
      // Nobody publishes: a probe finds it.
      await b.sink.until(() => b.sink.epochs.length === 1);
      await a.sink.until(() => a.sink.epochs.length === 1);
      expect(a.sink.epochs).toEqual(b.sink.epochs);
      expect(a.sink.epochs[0]).not.toBe(a.epoch);
      const { pages } = await b.broker.open(new Map([['x', 0]]));
      expect(pages.get('x')?.entries).toEqual([]);
      server.cli('FLUSHALL');
      // A publish finds it, and is stored in the new epoch.
      expect(await a.publish(draft('x', '3'))).toEqual([1]);
      expect(a.sink.epochs).toHaveLength(2);
      await b.sink.until(() => b.sink.epochs.length === 2);
      expect(b.sink.epochs).toEqual(a.sink.epochs);
      expect((await b.broker.open(new Map([['x', 0]]))).pages.get('x')?.entries).toHaveLength(1);
      await a.publish(draft('x', '4'));
      await b.sink.until(() => b.sink.data('x').includes('4'));
    });

    it('start a new epoch when Redis has lost entries that a process has received', async () => {
      const server = await redis();
      const [a, b] = [await node(server), await node(server)];
      await b.broker.open(new Map([['x', 0]]));
      await a.publish(draft('x', '1'));
      server.cli('SAVE');
      await a.publish(draft('x', '2'), draft('x', '3'));
      await b.sink.until(() => b.sink.list.length === 3);
      await server.kill();
      await server.start();
      await a.sink.until(() => a.sink.epochs.length === 1);
      await b.sink.until(() => b.sink.epochs.length === 1);
      expect(a.sink.epochs).toEqual(b.sink.epochs);
      expect((await b.broker.open(new Map([['x', 0]]))).pages.get('x')?.entries).toEqual([]);
      await a.publish(draft('x', '4'));
      await b.sink.until(() => b.sink.data('x').includes('4'));
    });

    it('skip lost positions that no process has received', async () => {
      const server = await redis();
      const a = await node(server);
      await a.publish(draft('x', '1'));
      server.cli('SAVE');
      await a.publish(draft('x', '2'));
      await a.broker.close();
      await server.kill();
      await server.start();
      const b = await node(server);
      expect(b.epoch).toBe(a.epoch);
      expect(b.sink.breaks).toEqual([[1, 1 + 2 ** 32]]);
      expect(await b.publish(draft('x', '3'))).toEqual([2 + 2 ** 32]);
      const { pages } = await b.broker.open(new Map([['x', 0]]));
      expect(pages.get('x')?.entries.map(({ data }) => data)).toEqual(['1', '3']);
      expect(pages.get('x')?.trimmedUpTo).toBe(0);
    });

    it('keep the epoch after a restart that loses nothing', async () => {
      const server = await redis('--appendonly', 'yes', '--appendfsync', 'always');
      const [a, b] = [await node(server), await node(server)];
      await b.broker.open(new Map([['x', 0]]));
      const publishing = publishAlways(a, ['x', 'y'], 3);
      for (let round = 0; round < 3; round++) {
        await pause(150);
        await server.kill();
        await server.start();
      }
      await pause(300);
      const { accepted, unknown } = await publishing.stop();
      await a.publish(draft('x', 'last'));
      await b.sink.until(() => b.sink.data('x').at(-1) === 'last');
      expect(b.sink.epochs).toEqual([]);
      expect(b.sink.lostChannels).toEqual([]);
      // Two restarts that no call has come between are one.
      expect(b.sink.breaks.length).toBeGreaterThan(0);
      const got = b.sink.data('x').filter(data => data !== 'last' && !unknown.includes(data));
      expect(got).toEqual(accepted.filter(([channel]) => channel === 'x').map(([, data]) => data));
    });

    it('start a new epoch when a replica without the last writes is promoted', async () => {
      const master = await redis('--repl-diskless-sync-delay', '0');
      const replica = await replicaOf(master);
      const proxy = await proxyTo(master);
      const [a, b] = [await node(proxy), await node(proxy)];
      await b.broker.open(new Map([['x', 0]]));
      await a.publish(draft('x', '1'));
      await eventually(() => replica.cli('HGET', '{hub}:hub', 'seq') === '1');
      replica.cli('REPLICAOF', 'NO', 'ONE');
      await a.publish(draft('x', '2'));
      await b.sink.until(() => b.sink.list.length === 2);
      proxy.target = replica.port;
      proxy.cut();
      await b.sink.until(() => b.sink.epochs.length === 1);
      await a.sink.until(() => a.sink.epochs.length === 1);
      expect(await a.publish(draft('x', '3'))).toEqual([1]);
    });

    it('reconnect to the new master when the server has become a replica', async () => {
      const old = await redis('--repl-diskless-sync-delay', '0');
      const other = await replicaOf(old);
      const proxy = await proxyTo(old);
      const [a, b] = [await node(proxy), await node(proxy)];
      await b.broker.open(new Map([['x', 0]]));
      await a.publish(draft('x', '1'));
      await eventually(() => other.cli('HGET', '{hub}:hub', 'seq') === '1');
      other.cli('REPLICAOF', 'NO', 'ONE');
      old.cli('REPLICAOF', '127.0.0.1', String(other.port));
      // Every connection stays up, with the old one.
      proxy.target = other.port;
      await a.publish(draft('x', '2'));
      await b.sink.until(() => b.sink.data('x').length === 2);
      expect(b.sink.data('x')).toEqual(['1', '2']);
      expect(b.sink.epochs).toEqual([]);
    });

    it('reconnect a subscription to the old server at the first reply of the new one', async () => {
      const old = await redis('--repl-diskless-sync-delay', '0');
      const other = await replicaOf(old);
      const proxy = await proxyTo(old);
      const [a, b] = [
        await node(proxy, { probeInterval: 60_000 }),
        await node(proxy, { probeInterval: 60_000 }),
      ];
      await b.broker.open(new Map([['x', 0]]));
      await a.publish(draft('x', '1'));
      await eventually(() => other.cli('HGET', '{hub}:hub', 'seq') === '1');
      // Both believe that they are the master, and each has some of the connections.
      other.cli('REPLICAOF', 'NO', 'ONE');
      proxy.target = other.port;
      proxy.cutOthers();
      await a.publish(draft('x', '2'));
      await b.sink.until(() => b.sink.data('x').length === 2);
      expect(b.sink.data('x')).toEqual(['1', '2']);
    });

    it('are announced to the other processes immediately', async () => {
      const server = await redis();
      const [a, b] = [
        await node(server, { probeInterval: 60_000 }),
        await node(server, { probeInterval: 60_000 }),
      ];
      await b.broker.open(new Map([['x', 0]]));
      server.cli('FLUSHALL');
      await a.publish(draft('x', '1'));
      await b.sink.until(() => b.sink.epochs.length === 1);
      expect(b.sink.epochs).toEqual(a.sink.epochs);
    });
  });
});
