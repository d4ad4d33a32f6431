import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { describeWith } from '../support/system.ts';
import { expectAll, keep, publishAlways } from './publish-always.ts';
import { draft } from './recorder.ts';
import { current } from './redis-clients.ts';
import { REDIS } from './redis-server.ts';
import { codeOf, setUp, soon } from './redis-setup.ts';

describeWith(REDIS, 'Redis with faults', () => {
  describe.each(current)('$name', ({ client }) => {
    const { redis, proxyTo, node } = setUp(client);

    it('delivers each entry once and in order while the subscription is lost repeatedly', async () => {
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
      expect(accepted.length).toBeGreaterThan(50);
      expect(b.sink.lostChannels).toEqual([]);
    });

    it('delivers each entry once and in order while every connection is lost and channels are opened', async () => {
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
      // The last connections may be gone without the broker having noticed.
      while ((await codeOf(b.broker.open(new Map([['late', 0]])))) !== 'done') await pause(10);
      const { accepted } = await publishing.stop();
      await a.publish(draft('late', '!'));
      for (const channel of opened) await a.publish(draft(channel, '!'));
      const { head } = await a.broker.head();
      await b.sink.until(() => b.sink.head >= head);
      expectAll(b, accepted, 'x');
      for (const channel of [...opened, 'late']) expect(b.sink.data(channel)).toEqual(['!']);
    });

    it('reports a lost connection with its cause, and the reconnect', async () => {
      const server = await redis();
      const one = await node(server);
      const { connections } = one.sink;
      await server.kill();
      await one.sink.until(() => connections.length === 2);
      await server.start();
      await one.sink.until(() => connections.length === 3);
      expect(connections.map(([isConnected]) => isConnected)).toEqual([true, false, true]);
      expect(connections[1]?.[1]).toBeInstanceOf(Error);
      // One of the two is enough.
      server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await one.sink.until(() => connections.length === 5);
      expect(connections.slice(3).map(([isConnected]) => isConnected)).toEqual([false, true]);
    });

    it('delivers a begin after the end, and reports the dropped entries as lost, once it is reconnected', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const [a, b] = [await node(server), await node(proxy)];
      const mark = (kind: 'end' | 'begin') => draft('x', kind, { kind });
      await b.broker.open(new Map([['x', 0]]));
      await a.publish(draft('x', '1'), mark('end'));
      await b.sink.until(() => b.sink.list.length === 2);
      proxy.stall();
      await a.publish(mark('begin'), draft('x', '4'));
      proxy.cut();
      proxy.resume();
      await b.sink.until(() => b.sink.list.length === 4);
      expect(b.sink.log).toEqual(['x 1', 'x end', 'x begin', 'x 4']);
      // The last delivered entry is in the middle of what the begin drops.
      proxy.stall();
      await a.publish(draft('x', '5'), mark('end'), mark('begin'), draft('x', '8'));
      proxy.cut();
      proxy.resume();
      await b.sink.until(() => b.sink.data('x').includes('8'));
      expect(b.sink.log.slice(4)).toEqual(['lost x', 'x begin', 'x 8']);
    });

    it('stores a batch once if its reply is lost', async () => {
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

    it('rejects at the deadline: maybe-stored if Redis does not reply, not-stored if it is unreachable', async () => {
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

    it('does not store a batch that arrives after the next one, and stores one that arrives twice once', async () => {
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

    it('does not store a batch again in a new epoch if its reply was lost in the old one', async () => {
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

    it('catches up when Redis has closed the subscription because its output buffer was full', async () => {
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

    it('reports entries that were trimmed meanwhile before newer entries', async () => {
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

    it('detects a gap while every connection is up', async () => {
      const server = await redis();
      // Its messages do not reach processes that use the other kind of Pub/Sub.
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
      // A gap that is found too late to be repaired.
      await mute.publish(draft('x', '5'));
      await a.publish(draft('y', '6'), draft('x', '7'));
      await b.sink.until(() => b.sink.data('x').includes('7'));
      expect(b.sink.log.slice(4)).toEqual(['y 6', 'lost x', 'x 7']);
    });
  });
});
