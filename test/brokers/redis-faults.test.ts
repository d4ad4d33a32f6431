import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Draft } from '@tidings/core';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/client.ts';
import { describeWith } from '../support/system.ts';
import { begin, draft, type Node } from './recorder.ts';
import { broker, current } from './redis-clients.ts';
import { REDIS } from './redis-server.ts';
import { setUp } from './redis-setup.ts';

const keep = { events: 100_000, bytes: 64 * 1024 * 1024, age: 300_000, compact: false };
const soon = (ms = 5_000) => AbortSignal.timeout(ms);
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'stored',
    error => error.code,
  );

describeWith(REDIS, 'Redis in trouble', () => {
  describe.each(current)('$name', ({ client }) => {
    const { atEnd, redis, proxyTo, node } = setUp(client);
    /** Publishes until it is told to stop, and returns what was accepted. */
    function publishAlways(publisher: Node, channels: string[], size = 1) {
      let isOver = false;
      const accepted: [channel: string, data: string][] = [];
      const unknown: string[] = [];
      const done = (async () => {
        for (let count = 0; !isOver; count++) {
          const list: Draft[] = [];
          for (let index = 0; index < size; index++) {
            const channel = channels[(count + index) % channels.length] as string;
            list.push(draft(channel, `${count}.${index}`, { keep }));
          }
          await publisher.broker.publish(list, soon()).then(
            () => {
              for (const { channel, data } of list) accepted.push([channel, data]);
            },
            error => {
              if (error.code === 'maybe-stored') unknown.push(...list.map(({ data }) => data));
            },
          );
          await pause(1);
        }
      })();
      return {
        async stop() {
          isOver = true;
          await done;
          return { accepted, unknown };
        },
      };
    }
    function expectAll(receiver: Node, accepted: [string, string][], channel: string): void {
      const expected = accepted.filter(([name]) => name === channel).map(([, data]) => data);
      expect(receiver.sink.data(channel)).toEqual(expected);
    }

    it('loses, repeats and disorders nothing when the subscription is cut again and again', async () => {
      const server = await redis();
      const [a, b] = [await node(server), await node(server)];
      await b.broker.open(new Map(['x', 'y', 'z'].map(channel => [channel, 0])));
      const publishing = publishAlways(a, ['x', 'y', 'z', 'w'], 5);
      for (let round = 0; round < 10; round++) {
        await pause(60);
        server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
      }
      const { accepted } = await publishing.stop();
      const { head } = await a.broker.head();
      await b.sink.until(() => b.sink.head >= head);
      for (const channel of ['x', 'y', 'z']) expectAll(b, accepted, channel);
      expect(accepted.length).toBeGreaterThan(500);
      expect(b.sink.lostChannels).toEqual([]);
    });

    it('the same when every connection is cut, while channels are opened', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const [a, b] = [await node(server), await node(proxy)];
      await b.broker.open(new Map([['x', 0]]));
      const publishing = publishAlways(a, ['x', 'y']);
      const opened: string[] = [];
      for (let round = 0; round < 10; round++) {
        const opening = b.broker.open(new Map([[`more${round}`, 0]])).then(
          () => opened.push(`more${round}`),
          () => {},
        );
        await pause(30);
        proxy.cut();
        await opening;
      }
      await b.broker.open(new Map([['late', 0]]));
      const { accepted } = await publishing.stop();
      await a.publish(draft('late', '!'));
      for (const channel of opened) await a.publish(draft(channel, '!'));
      const { head } = await a.broker.head();
      await b.sink.until(() => b.sink.head >= head);
      expectAll(b, accepted, 'x');
      for (const channel of [...opened, 'late']) expect(b.sink.data(channel)).toEqual(['!']);
    });

    it('stores a batch once though its answer is lost', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const node1 = await node(proxy);
      await node1.broker.open(new Map([['x', 0]]));
      for (let round = 1; round <= 5; round++) {
        proxy.onRequest = text => {
          if (!text.includes(`round ${round}`)) return;
          proxy.onRequest = undefined;
          proxy.losesAnswers = true;
          setTimeout(() => {
            proxy.losesAnswers = false;
            proxy.cut();
          }, 20);
        };
        expect(await node1.publish(draft('x', `round ${round}`))).toEqual([round]);
      }
      await node1.sink.until(() => node1.sink.list.length === 5);
      expect(await node1.broker.head()).toMatchObject({ head: 5 });
    });

    it('says `maybe-stored` at the deadline when Redis does not answer, and `not-stored` when it is not there', async () => {
      const server = await redis('--appendonly', 'yes', '--appendfsync', 'always');
      const node1 = await node(server);
      await node1.broker.open(new Map([['x', 0]]));
      await node1.publish(draft('x', 'before'));
      server.freeze();
      const began = performance.now();
      expect(await codeOf(node1.broker.publish([draft('x', 'frozen')], soon(300)))).toBe('maybe-stored');
      expect(performance.now() - began).toBeLessThan(1_000);
      server.thaw();
      await node1.sink.until(() => node1.sink.data('x').length === 2);
      await server.kill();
      await pause(50);
      expect(await codeOf(node1.broker.publish([draft('x', 'away')], soon(300)))).toBe('not-stored');
      await expect(node1.broker.open(new Map([['y', 0]]))).rejects.toMatchObject({ code: 'broker' });
      const waiting = node1.publish(draft('x', 'back'));
      await server.start();
      await waiting;
      await node1.sink.until(() => node1.sink.data('x').length === 3);
      expect(node1.sink.data('x')).toEqual(['before', 'frozen', 'back']);
      expect(node1.sink.epochs).toEqual([]);
    });

    it('a batch that arrives after the next one is not stored, and one that arrives twice is stored once', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const a = await node(proxy);
      const capture = (isForwarded: boolean) => {
        let captured = '';
        proxy.onRequest = text => {
          if (captured !== '' || /evalsha/i.test(text)) captured += text;
          return isForwarded;
        };
        return () => Buffer.from(captured, 'latin1');
      };
      const replay = async (bytes: Buffer) => {
        const socket = net.connect(server.port, '127.0.0.1');
        socket.write(bytes);
        const [answer] = (await once(socket, 'data')) as [Buffer];
        socket.destroy();
        return answer.toString();
      };
      // The scripts are known by now; else it would be EVAL that carries them.
      await a.publish(draft('x', '1'));
      const first = capture(false);
      expect(await codeOf(a.broker.publish([draft('x', 'lost')], soon(200)))).toBe('maybe-stored');
      proxy.onRequest = undefined;
      proxy.cut();
      expect(await a.publish(draft('x', '2'))).toEqual([2]);
      expect(await replay(first())).toContain('late');
      const second = capture(true);
      expect(await a.publish(draft('x', '3'))).toEqual([3]);
      expect(await replay(second())).toContain('3 ');
      const page = await a.broker.read('x', 0, 9);
      expect(page.entries.map(({ data }) => data)).toEqual(['1', '2', '3']);
    });

    it('does not store a batch again in a new epoch when its answer was lost in the old one', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const one = await node(proxy);
      await one.publish(draft('x', 'first'));
      proxy.onRequest = text => {
        if (!text.includes('delivered')) return;
        proxy.onRequest = undefined;
        proxy.losesAnswers = true;
        setTimeout(() => {
          server.cli('FLUSHALL');
          proxy.losesAnswers = false;
          proxy.cut();
        }, 20);
      };
      expect(await codeOf(one.broker.publish([draft('x', 'delivered')], soon()))).toBe('maybe-stored');
      expect(one.sink.epochs).toHaveLength(1);
      expect((await one.broker.read('x', 0, 9)).entries).toEqual([]);
      expect(await one.publish(draft('x', 'next'))).toEqual([1]);
    });

    it('a Redis that was emptied is a new epoch, whoever finds out', async () => {
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

    it('a Redis that has lost what somebody has seen is a new epoch', async () => {
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

    it('positions that were lost are not given again, though nobody noticed', async () => {
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
      expect(pages.get('x')?.floor).toBe(0);
    });

    it('a restart that loses nothing is noticed by nobody but for a break', async () => {
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

    it('a replica that was promoted without the last writes is a new epoch', async () => {
      const master = await redis('--repl-diskless-sync-delay', '0');
      const replica = await redis('--replicaof', `127.0.0.1 ${master.port}`);
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

    it('a server that has become a replica is left for the one that has the hub', async () => {
      const old = await redis('--repl-diskless-sync-delay', '0');
      const other = await redis('--replicaof', `127.0.0.1 ${old.port}`);
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

    it('a subscription that is still with the old server is found by the first answer of the new one', async () => {
      const old = await redis('--repl-diskless-sync-delay', '0');
      const other = await redis('--replicaof', `127.0.0.1 ${old.port}`);
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

    it('a new epoch is found by the other nodes at once', async () => {
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

    it('goes on when its output buffer has cut the subscription', async () => {
      const server = await redis('--client-output-buffer-limit', 'pubsub 64kb 64kb 1');
      const proxy = await proxyTo(server);
      const [a, b] = [await node(server), await node(proxy)];
      await b.broker.open(new Map([['x', 0]]));
      proxy.stall();
      const body = 'x'.repeat(30_000);
      for (let index = 0; index < 300; index++) await a.publish(draft('x', `${index} ${body}`, { keep }));
      expect(server.cli('CLIENT', 'LIST', 'TYPE', 'pubsub').split('\n')).toHaveLength(1);
      proxy.resume();
      await b.sink.until(() => b.sink.list.length === 300);
      expect(b.sink.data('x').map(data => Number.parseInt(data, 10))).toEqual(
        Array.from({ length: 300 }, (_, index) => index),
      );
    });

    it('reports what has left the history meanwhile, before anything newer', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const [a, b] = [await node(server), await node(proxy)];
      await b.broker.open(new Map(['x', 'y'].map(channel => [channel, 0])));
      await a.publish(draft('x', '1'), draft('y', '2'));
      await b.sink.until(() => b.sink.list.length === 2);
      proxy.stall();
      const few = { keep: { ...keep, events: 2 } };
      for (let index = 3; index <= 7; index++)
        await a.publish(draft('x', `${index}`, few), draft('y', `${index}`));
      proxy.cut();
      proxy.resume();
      await b.sink.until(() => b.sink.list.length === 9);
      expect(b.sink.log).toEqual(['x 1', 'y 2', 'lost x', 'y 3', 'y 4', 'y 5', 'x 6', 'y 6', 'x 7', 'y 7']);
      await a.publish(draft('x', '8'));
      await b.sink.until(() => b.sink.data('x').includes('8'));
      expect(b.sink.lostChannels).toHaveLength(1);
    });

    it('finds a hole while every connection is up', async () => {
      const server = await redis();
      // What this one publishes does not arrive at nodes that use the other kind of Pub/Sub.
      const [mute, a, b] = [
        await node(server, { shardedPubSub: true }),
        await node(server),
        await node(server),
      ];
      await b.broker.open(new Map(['x', 'y'].map(channel => [channel, 0])));
      await a.publish(draft('x', '1'));
      await mute.publish(draft('x', '2'));
      await a.publish(draft('x', '3'), draft('y', '4'));
      await b.sink.until(() => b.sink.data('y').length === 1);
      expect(b.sink.log).toEqual(['x 1', 'x 2', 'x 3', 'y 4']);
      // One that is found too late to be given in its place.
      await mute.publish(draft('x', '5'));
      await a.publish(draft('y', '6'), draft('x', '7'));
      await b.sink.until(() => b.sink.data('x').includes('7'));
      expect(b.sink.log.slice(4)).toEqual(['y 6', 'lost x', 'x 7']);
    });

    it('refuses at once when memory is full, and stays open', async () => {
      const server = await redis('--maxmemory', '4mb', '--maxmemory-policy', 'noeviction');
      const node1 = await node(server);
      await node1.broker.open(new Map([['x', 0]]));
      const big = draft('fill', 'x'.repeat(100_000), { keep });
      let code = 'stored';
      for (let index = 0; index < 100 && code === 'stored'; index++) {
        code = await codeOf(node1.broker.publish([big], soon(30_000)));
      }
      expect(code).toBe('not-stored');
      await expect(node1.broker.publish([big], soon())).rejects.toThrow(/OOM/);
      server.cli('CONFIG', 'SET', 'maxmemory', '1mb');
      expect(await codeOf(node1.publish(draft('x', 'small')))).toBe('not-stored');
      const { head } = await node1.broker.head();
      const { pages } = await node1.broker.open(new Map([['y', 0]]));
      expect(pages.get('y')?.entries).toEqual([]);
      expect(await node1.broker.head()).toMatchObject({ head });
      server.cli('CONFIG', 'SET', 'maxmemory', '0');
      expect(await node1.publish(draft('x', '!'))).toEqual([head + 1]);
      await node1.sink.until(() => node1.sink.data('x').length === 1);
    });

    it('does not begin on a Redis that would delete history, and says why', async () => {
      const server = await redis('--maxmemory-policy', 'allkeys-lru');
      await expect(node(server)).rejects.toMatchObject({
        code: 'broker',
        message: expect.stringMatching(/allkeys-lru.*noeviction/),
      });
      await eventually(() => server.cli('CLIENT', 'LIST').split('\n').length === 1);
      server.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      await node(server);
    });

    it('does not begin without Redis, says so in time, and begins when it is there', async () => {
      const server = await redis();
      await server.kill();
      const one = broker(client(server.url), 'hub', { timeout: 300 });
      atEnd(() => one.close());
      await expect(begin(one)).rejects.toMatchObject({
        code: 'broker',
        message: expect.stringMatching(/ECONNREFUSED/),
      });
      await server.start();
      await begin(one);
    });

    it('goes on when Redis has forgotten the scripts', async () => {
      const server = await redis();
      const node1 = await node(server);
      await node1.publish(draft('x', '1'));
      server.cli('SCRIPT', 'FLUSH');
      expect(await node1.publish(draft('x', '2'))).toEqual([2]);
    });

    it('is not disturbed by another database that uses the same prefix', async () => {
      const server = await redis();
      const [a, b] = [await node(server), await node({ url: `${server.url}/1` })];
      await a.broker.open(new Map([['x', 0]]));
      await b.broker.open(new Map([['x', 0]]));
      for (let index = 0; index < 20; index++) {
        await b.publish(draft('x', `b${index}`));
        await a.publish(draft('x', `a${index}`));
      }
      await a.sink.until(() => a.sink.list.length === 20);
      expect(a.sink.list.every(({ data }) => data.startsWith('a'))).toBe(true);
      expect([a.sink.epochs, b.sink.epochs]).toEqual([[], []]);
    });

    it('finds out by itself that nothing comes over the subscription any more', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const [a, b] = [await node(server), await node(proxy)];
      await b.broker.open(new Map([['x', 0]]));
      proxy.muteSubscriptions();
      await a.publish(draft('x', '1'));
      await b.sink.until(() => b.sink.data('x').length === 1);
    });

    it('has two connections, however many channels are open, and none when it is closed', async () => {
      const server = await redis();
      const one = await node(server);
      const count = () => server.cli('CLIENT', 'LIST').split('\n').length - 1;
      expect(count()).toBe(2);
      const names = Array.from({ length: 10_000 }, (_, index) => `c${index}`);
      await one.broker.open(new Map(names.map(channel => [channel, 0])));
      expect(count()).toBe(2);
      server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await one.publish(draft('c9999', '!'));
      await one.sink.until(() => one.sink.list.length === 1);
      expect(count()).toBe(2);
      await one.broker.close();
      await eventually(() => count() === 0);
    });
  });
});
