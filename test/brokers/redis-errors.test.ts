import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import { createHub, type HubStats, type TidingsError } from '@tidings/core';
import type { RedisClient } from '@tidings/redis';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { generate } from 'selfsigned';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/client.ts';
import { describeWith } from '../support/system.ts';
import { draft } from './recorder.ts';
import { broker, current } from './redis-clients.ts';
import { REDIS, type RedisServer } from './redis-server.ts';
import { setUp } from './redis-setup.ts';

describeWith(REDIS, 'what is wrong with Redis', () => {
  describe.each(current)('$name', ({ name, client }) => {
    const { atEnd, redis, proxyTo, node } = setUp(client);

    /** A hub, and what it reports of its broker. */
    function hubOf(source: RedisClient, options = {}) {
      const reports: TidingsError[] = [];
      const hub = createHub({
        broker: broker(source, 'hub'),
        publishTimeout: 1_500,
        onError: (error, { stage }) => void (stage === 'broker' && reports.push(error as TidingsError)),
        ...options,
      });
      atEnd(() => hub.close({ within: 0 }));
      return { hub, reports, stats: () => hub.stats().broker as NonNullable<HubStats['broker']> };
    }

    async function expectCause(source: RedisClient, cause: RegExp, advice: RegExp): Promise<void> {
      const { hub, reports } = hubOf(source);
      const expected = {
        code: 'not-stored',
        cause: { code: 'broker', message: expect.stringMatching(advice), cause: expect.any(Error) },
      };
      await Promise.all([
        expect(hub.publish('x', 1)).rejects.toMatchObject(expected),
        expect(hub.ready()).rejects.toMatchObject({ ...expected, code: 'broker' }),
      ]);
      // The broker has tried to begin more than once by now, and each of its connections more often.
      expect(reports).toHaveLength(1);
      expect(reports[0]?.message).toMatch(cause);
      expect(reports[0]?.message).toMatch(advice);
    }

    const as = ({ url }: RedisServer, user: string) => url.replace('redis://', `redis://${user}@`);

    it('is a wrong password', async () => {
      const server = await redis();
      server.cli('ACL', 'SETUSER', 'app', 'on', '>right', '+@all', '~*', '&*');
      await expectCause(client(as(server, 'app:wrong')), /WRONGPASS/, /check the user name and the password/);
    });

    it.each(['evalsha', 'subscribe'])('is a user who may not call %s', async command => {
      const server = await redis();
      server.cli('ACL', 'SETUSER', 'app', 'on', '>pw', '+@all', `-${command}`, '~*', '&*');
      await expectCause(
        client(as(server, 'app:pw')),
        /NOPERM.*/,
        /give the user the permissions in the README/,
      );
    });

    it('is a user who may not use these keys', async () => {
      const server = await redis();
      server.cli('ACL', 'SETUSER', 'app', 'on', '>pw', '+@all', '~other:*', '&*');
      await expectCause(
        client(as(server, 'app:pw')),
        /NOPERM|No permissions/i,
        /give the user the permissions in the README/,
      );
    });

    it('is a certificate of a private authority, which can be passed to the client', async () => {
      const server = await redis();
      const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
        extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
      });
      const terminator = tls.createServer({ cert, key }, socket => {
        const upstream = net.connect(server.port, '127.0.0.1');
        socket.pipe(upstream).pipe(socket);
        for (const each of [socket, upstream]) each.on('error', () => {});
      });
      terminator.on('tlsClientError', () => {});
      await once(terminator.listen(0, '127.0.0.1'), 'listening');
      atEnd(() => terminator.close());
      const url = `rediss://127.0.0.1:${(terminator.address() as AddressInfo).port}`;
      await expectCause(client(url), /certificate/, /certificate authority to the client/);
      const { hub } = hubOf(
        name === 'redis'
          ? createClient({ url, socket: { tls: true, ca: cert } })
          : new Redis(url, { lazyConnect: true, tls: { ca: cert } }),
      );
      await hub.ready();
    });

    it('is a password that changes while the hub runs, and is reported once', async () => {
      const server = await redis();
      const set = (password: string) =>
        server.cli('ACL', 'SETUSER', 'app', 'on', 'resetpass', `>${password}`, '+@all', '~*', '&*');
      set('right');
      const { hub, reports, stats } = hubOf(client(as(server, 'app:right')));
      await hub.publish('x', 1);
      set('other');
      server.cli('CLIENT', 'KILL', 'USER', 'app');
      await eventually(() => !stats().connected);
      for (let count = 0; count < 3; count++) {
        await expect(hub.publish('x', 2)).rejects.toMatchObject({
          code: 'not-stored',
          cause: { code: 'broker', message: expect.stringMatching(/WRONGPASS.*password/) },
        });
      }
      expect(reports.filter(({ message }) => message.includes('WRONGPASS'))).toHaveLength(1);
      set('right');
      await eventually(() => stats().connected);
      await hub.publish('x', 3);
    });

    it('is a server that does not cache scripts', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const one = await node(proxy, { probeInterval: 60_000 });
      proxy.onRequest = text => {
        if (/evalsha/i.test(text)) server.cli('SCRIPT', 'FLUSH');
        return true;
      };
      for (let count = 0; count < 8; count++) await one.publish(draft('x', ''));
      expect(one.sink.reports).toEqual([
        expect.objectContaining({ message: expect.stringMatching(/does not cache scripts.*SCRIPT FLUSH/) }),
      ]);
    });

    it('is visible in the state of the broker, for readiness and liveness probes', async () => {
      const server = await redis();
      const { hub, stats } = hubOf(client(server.url));
      expect(stats().connected).toBe(false);
      const connections = () => server.cli('CLIENT', 'LIST').split('\n').length - 1;
      expect(connections()).toBe(0);
      await hub.ready();
      // Before any stream.
      expect(connections()).toBe(2);
      expect(stats()).toMatchObject({
        connected: true,
        since: expect.any(Number),
        lag: expect.any(Number),
      });
      const { since } = stats();
      expect(Math.abs(Date.now() - since)).toBeLessThan(60_000);
      await server.kill();
      await eventually(() => !stats().connected);
      expect(stats().since).toBeGreaterThanOrEqual(since);
      const { lag } = stats();
      await eventually(() => stats().lag > lag + 600);
      await server.start();
      await eventually(() => stats().connected);
      // A probe has confirmed it.
      await eventually(() => stats().lag < 600);
      await hub.close();
      await expect(hub.ready()).rejects.toMatchObject({ code: 'closed' });
    });

    it('is an outage: ready() rejects at its deadline, and the hub starts once Redis is reachable', async () => {
      const server = await redis();
      await server.kill();
      const { hub } = hubOf(client(server.url), { publishTimeout: 300 });
      await expect(hub.ready()).rejects.toMatchObject({
        code: 'broker',
        message: expect.stringMatching(/could not be reached for 300 ms: .*ECONNREFUSED/),
        cause: { message: expect.stringMatching(/ECONNREFUSED/) },
      });
      await server.start();
      await eventually(() => hub.stats().broker?.connected === true);
      await hub.ready();
    });
  });
});
