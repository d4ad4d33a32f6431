import { describe, expect, it } from 'vitest';
import { eventually } from '../support/client.ts';
import { describeWith } from '../support/system.ts';
import { keep } from './publish-always.ts';
import { draft, start } from './recorder.ts';
import { broker, current } from './redis-clients.ts';
import { REDIS } from './redis-server.ts';
import { codeOf, setUp, soon } from './redis-setup.ts';

describeWith(REDIS, 'Redis in unusual states', () => {
  describe.each(current)('$name', ({ client }) => {
    const { atEnd, redis, proxyTo, node } = setUp(client);

    it('rejects immediately when memory is full, and continues to deliver', async () => {
      const server = await redis('--maxmemory', '4mb', '--maxmemory-policy', 'noeviction');
      const node1 = await node(server);
      await node1.broker.open(new Map([['x', 0]]));
      const big = draft('fill', 'x'.repeat(100_000), { keep });
      let code = 'done';
      for (let index = 0; index < 100 && code === 'done'; index++) {
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

    it.each([
      ['has another policy', 'allkeys-lru', []],
      [
        'has another policy, and denies CONFIG, as managed services do',
        'volatile-lru',
        ['--rename-command', 'CONFIG', ''],
      ],
    ])('reports once that keys may be evicted, and starts anyway, if Redis %s', async (_, policy, more) => {
      const server = await redis('--maxmemory-policy', policy, ...more);
      const one = await node(server);
      const message = expect.stringMatching(`maxmemory-policy ${policy}.* set .* to noeviction`);
      expect(one.sink.reports).toEqual([expect.objectContaining({ code: 'broker', message })]);
      expect(await one.publish(draft('x', '1'))).toEqual([1]);
      server.cli('CLIENT', 'KILL', 'TYPE', 'normal');
      await one.sink.until(() => one.sink.connections.length === 3);
      expect(one.sink.reports).toHaveLength(1);
    });

    it('reports that it cannot know whether keys are evicted', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      proxy.onReply = text => text.replace('maxmemory_policy', 'another_setting_');
      const one = await node(proxy);
      const message = expect.stringMatching('does not say which maxmemory-policy');
      expect(one.sink.reports).toEqual([expect.objectContaining({ code: 'broker', message })]);
    });

    it('reports nothing if Redis evicts no keys', async () => {
      const one = await node(await redis('--maxmemory-policy', 'noeviction'));
      expect(one.sink.reports).toEqual([]);
    });

    it('refuses Redis 6, with the reason', async () => {
      const proxy = await proxyTo(await redis());
      // Debian has no Redis 6: this one says that it is.
      proxy.onReply = text =>
        text.replace(/redis_version:7\.0\.\d+/, found => 'redis_version:6.2.14'.padEnd(found.length));
      await expect(node(proxy)).rejects.toMatchObject({
        code: 'broker',
        message: expect.stringMatching(/needs Redis 7 or newer.*has version 6\.2\.14/),
      });
    });

    it('rejects start within its timeout while Redis is unreachable, and starts once it is reachable', async () => {
      const server = await redis();
      await server.kill();
      const one = broker(client(server.url), 'hub', { timeout: 1_500 });
      atEnd(() => one.close());
      await expect(start(one)).rejects.toMatchObject({
        code: 'broker',
        message: expect.stringMatching(/ECONNREFUSED/),
      });
      await server.start();
      await start(one);
    });

    it('sends the scripts again when Redis has lost them', async () => {
      const server = await redis();
      const node1 = await node(server);
      await node1.publish(draft('x', '1'));
      server.cli('SCRIPT', 'FLUSH');
      expect(await node1.publish(draft('x', '2'))).toEqual([2]);
    });

    it('ignores the messages of another database with the same prefix', async () => {
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

    it('reconnects a subscription that is up but delivers nothing', async () => {
      const server = await redis();
      const proxy = await proxyTo(server);
      const [a, b] = [await node(server), await node(proxy)];
      await b.broker.open(new Map([['x', 0]]));
      proxy.muteSubscriptions();
      await a.publish(draft('x', '1'));
      await b.sink.until(() => b.sink.data('x').length === 1);
    });

    it('has two connections for any number of channels, and none once it is closed', async () => {
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
