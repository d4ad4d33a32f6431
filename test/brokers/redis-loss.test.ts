import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createHub } from '@tidings/core';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/client.ts';
import { describeWith } from '../support/system.ts';
import { draft, start } from './recorder.ts';
import { broker, current } from './redis-clients.ts';
import { REDIS } from './redis-server.ts';
import { codeOf, setUp } from './redis-setup.ts';

const quiet = { probeInterval: 60_000 };

describeWith(REDIS, 'Redis that loses data, and messages of others', () => {
  describe.each(current)('$name', ({ client }) => {
    const { redis, replicaOf, proxyTo, node } = setUp(client);

    it('starts a new epoch when only a process that received the lost entries remains', async () => {
      const server = await redis();
      const [a, b] = [await node(server, quiet), await node(server, quiet)];
      await b.broker.open(new Map([['x', 0]]));
      await a.publish(draft('x', '1'));
      server.cli('SAVE');
      await a.publish(draft('x', '2'), draft('x', '3'));
      await b.sink.until(() => b.sink.list.length === 3);
      await a.broker.close();
      await server.kill();
      await server.start();
      await b.sink.until(() => b.sink.epochs.length + b.sink.breaks.length > 0);
      expect(b.sink.epochs).toHaveLength(1);
    });

    it('starts a new epoch when the server has loaded older data while it ran', async () => {
      const old = await redis('--repl-diskless-sync-delay', '0');
      const other = await replicaOf(old);
      const proxy = await proxyTo(old);
      const [a, b] = [await node(proxy), await node(proxy)];
      await b.broker.open(new Map([['x', 0]]));
      await a.publish(draft('x', '1'));
      const seq = (server: typeof old) => server.cli('HGET', '{hub}:hub', 'seq');
      await eventually(() => seq(other) === '1');
      // The other one is promoted without the later entries, and gives up its role before anybody has called it.
      other.cli('REPLICAOF', 'NO', 'ONE');
      await a.publish(draft('x', '2'));
      await b.sink.until(() => b.sink.list.length === 2);
      proxy.stall();
      old.cli('REPLICAOF', '127.0.0.1', String(other.port));
      await eventually(() => seq(old) === '1');
      old.cli('REPLICAOF', 'NO', 'ONE');
      proxy.cut();
      proxy.resume();
      await a.sink.until(() => a.sink.epochs.length === 1);
      await b.sink.until(() => b.sink.epochs.length === 1);
      expect(await a.publish(draft('x', 'other 2'))).toEqual([1]);
      const { pages } = await b.broker.open(new Map([['x', 0]]));
      expect(pages.get('x')?.entries.map(({ data }) => data)).toEqual(['other 2']);
    });

    it('never starts the same epoch twice, even if the reply that named it was lost', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const [a, b] = [await node(proxy, quiet), await node(server, quiet)];
      server.cli('FLUSHALL');
      proxy.onRequest = text => {
        if (!/evalsha/i.test(text)) return;
        proxy.onRequest = undefined;
        proxy.losesAnswers = true;
      };
      const head = a.broker.head();
      await b.sink.until(() => b.sink.epochs.length === 1);
      await b.publish(draft('x', '1'), draft('x', '2'));
      server.cli('FLUSHALL');
      proxy.losesAnswers = false;
      proxy.cut();
      expect((await head).head).toBe(0);
      expect(a.sink.epochs).toHaveLength(1);
      expect(a.sink.epochs[0]).not.toBe(b.sink.epochs[0]);
    });

    it('opens channels again after a new epoch began during the repair of a gap', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      // Its messages do not reach processes that use the other kind of Pub/Sub.
      const mute = await node(server, { shardedPubSub: true });
      const [a, b] = [await node(server), await node(proxy, quiet)];
      await b.broker.open(new Map([['x', 0]]));
      await a.publish(draft('x', '1'));
      await b.sink.until(() => b.sink.list.length === 1);
      await mute.publish(draft('x', '2'));
      proxy.onRequest = text => {
        if (!/evalsha/i.test(text)) return;
        proxy.onRequest = undefined;
        server.cli('FLUSHALL');
      };
      await a.publish(draft('x', '3'));
      await b.sink.until(() => b.sink.epochs.length === 1);
      await eventually(() => a.sink.epochs.length === 1);
      expect(await codeOf(b.broker.open(new Map([['x', 0]])))).toBe('done');
      await a.publish(draft('x', '4'));
      await b.sink.until(() => b.sink.data('x').includes('4'));
    });

    it('distinguishes the batches of a restarted broker from earlier ones', async () => {
      const server = await redis();
      const one = broker(client(server.url), 'hub');
      expect(await (await start(one)).publish(draft('x', '1'))).toEqual([1]);
      await one.close();
      expect(await (await start(one)).publish(draft('x', '2'))).toEqual([2]);
      expect((await one.read('x', 0, 9)).entries.map(({ data }) => data)).toEqual(['1', '2']);
      await expect(start(one)).rejects.toMatchObject({ code: 'broker', message: /another hub/ });
      await one.close();
    });

    it('rejects a batch that failed midway as maybe-stored, and delivers or reports its stored part', async () => {
      const server = await redis();
      server.cli('ACL', 'SETUSER', 'app', 'on', '>pw', '+@all', '~*', '&*');
      const a = await node({ url: server.url.replace('redis://', 'redis://app:pw@') }, quiet);
      // A probe in between would show too late that a message is missing.
      const b = await node(server, quiet);
      await b.broker.open(new Map([['x', 0]]));
      const failing = async (command: string) => {
        server.cli('ACL', 'SETUSER', 'app', `-${command}`);
        const code = await codeOf(a.publish(draft('x', command)));
        server.cli('ACL', 'SETUSER', 'app', `+${command}`);
        return code;
      };
      await a.publish(draft('x', 'first'));
      // It is stored, and found with the next message.
      expect(await failing('publish')).toBe('maybe-stored');
      await a.publish(draft('x', 'second'));
      await b.sink.until(() => b.sink.data('x').includes('second'));
      expect(b.sink.log).toEqual(['x first', 'x publish', 'x second']);
      // What was written of these batches does not fit together.
      for (const command of ['zadd', 'xadd', 'set']) expect(await failing(command)).toBe('maybe-stored');
      await a.publish(draft('x', 'third'));
      await b.sink.until(() => b.sink.data('x').includes('third'));
      const page = await b.broker.read('x', 3, 99);
      expect(page.entries.map(({ data }) => data)).toEqual(['third']);
      expect(page.trimmedUpTo).toBeGreaterThanOrEqual(3);
      const before = await b.broker.head();
      expect(await failing('evalsha')).toBe('not-stored');
      // Errors before the script has begun.
      server.cli('CONFIG', 'SET', 'min-replicas-to-write', '1');
      expect(await codeOf(a.publish(draft('x', 'no')))).toBe('not-stored');
      server.cli('CONFIG', 'SET', 'min-replicas-to-write', '0');
      expect(await b.broker.head()).toEqual(before);
    });

    it('reports an entry that was not published as lost, once it is too late to deliver it', async () => {
      const server = await redis();
      server.cli('ACL', 'SETUSER', 'app', 'on', '>pw', '+@all', '~*', '&*');
      const a = await node({ url: server.url.replace('redis://', 'redis://app:pw@') }, quiet);
      const b = await node(server, { probeInterval: 20 });
      await b.broker.open(new Map([['x', 0]]));
      server.cli('ACL', 'SETUSER', 'app', '-publish');
      expect(await codeOf(a.publish(draft('x', '1')))).toBe('maybe-stored');
      server.cli('ACL', 'SETUSER', 'app', '+publish');
      // The probe says that everything up to here was delivered.
      await b.sink.until(() => b.sink.head === 1);
      await a.publish(draft('x', '2'));
      await b.sink.until(() => b.sink.data('x').includes('2'));
      expect(b.sink.log).toEqual(['lost x', 'x 2']);
    });

    it.each([
      ['is being established', true],
      ['was refused', false],
    ])('closes sockets and timers of a connection that %s', async (_, isThere) => {
      const timers = () => process.getActiveResourcesInfo().filter(type => type === 'Timeout').length;
      const before = timers();
      let open = 0;
      const silent = net.createServer(socket => {
        open += 1;
        socket
          .on('error', () => {})
          .on('close', () => {
            open -= 1;
          });
        socket.resume();
      });
      await once(silent.listen(0, '127.0.0.1'), 'listening');
      const { port } = silent.address() as AddressInfo;
      if (!isThere) silent.close();
      const one = broker(client(`redis://127.0.0.1:${port}`), 'hub', { timeout: 20_000 });
      const starting = codeOf(start(one));
      if (isThere) await eventually(() => open === 1);
      else await pause(50);
      await one.close();
      expect(await starting).toBe('closed');
      // Less than the timeouts of the client libraries.
      for (let count = 0; count < 20 && (open > 0 || timers() > before); count++) await pause(50);
      expect(open).toBe(0);
      expect(timers()).toBeLessThanOrEqual(before);
      silent.close();
    });

    it('ignores messages of other programs on its Pub/Sub channels', async () => {
      const server = await redis();
      const a = await node(server, quiet);
      await a.broker.open(new Map([['x', 0]]));
      const hub = createHub({ broker: broker(client(server.url), 'hub'), onError: () => {} });
      await hub.publish('x', 1);
      const connections = server.cli('CLIENT', 'LIST').match(/(?<=^id=)\d+/gm);
      for (const text of [
        'hello',
        'a 1 2 3\nxyz',
        `${a.epoch} 1 2 9\ne[\n`,
        `${a.epoch} 1 x -9\ne\n`,
        `${a.epoch} 1 2\ne\n`,
      ]) {
        server.cli('PUBLISH', '{hub}:on:x', text);
      }
      for (const text of ['note hello', 'note ', 'note null', 'hello']) {
        server.cli('PUBLISH', '{hub}:notices', text);
      }
      await hub.publish('x', 2);
      await a.sink.until(() => a.sink.list.length === 2);
      expect(a.sink.log).toEqual(['x 1', 'x 2']);
      const still = server.cli('CLIENT', 'LIST').match(/(?<=^id=)\d+/gm);
      expect(still?.slice(0, 4)).toEqual(connections?.slice(0, 4));
      await hub.close();
    });
  });
});
