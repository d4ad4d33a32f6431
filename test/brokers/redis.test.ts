import { readFileSync } from 'node:fs';
import { redisBroker } from '@tidings/redis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../support/system.ts';
import { brokerContract } from './contract.ts';
import { begin, draft, type Node } from './recorder.ts';
import { broker, clients } from './redis-clients.ts';
import { REDIS, RedisServer } from './redis-server.ts';

describeWith(REDIS, 'Redis', () => {
  let server: RedisServer | undefined;
  let url = process.env.REDIS_URL ?? '';
  beforeAll(async () => {
    if (url !== '') return;
    server = await RedisServer.start();
    url = server.url;
  });
  afterAll(() => server?.remove());

  for (const { name, client } of clients) {
    brokerContract({ name, broker: log => broker(client(url), `${name}-${log}`) });
  }

  it.skipIf(process.env.REDIS_URL !== undefined)(
    'leaves nothing that does not expire but the hub and its lists',
    async () => {
      const node = await begin(redisBroker({ url, prefix: 'lives' }));
      const keep = { events: 2, bytes: 1e6, age: 300_000, compact: false };
      const compact = { keep: { ...keep, compact: true } };
      const none = { keep: { ...keep, events: 0 } };
      for (let round = 0; round < 3; round++) {
        await node.publish(
          draft('kept', '1', { keep }),
          draft('none', '2', none),
          draft('state', '3', compact),
        );
        // The hash of keys goes with its last one, and comes again.
        await node.publish(
          draft('state', '4', { ...compact, key: 'a' }),
          draft('state', '5', { ...compact, key: 'b' }),
        );
        await node.publish(draft('changed', '6', { keep }), draft('changed', '7', none));
      }
      await node.publish(
        draft('none', '', { kind: 'end', ...none }),
        draft('changed', '', { kind: 'end', ...none }),
      );
      await node.broker.read('state', 0, 99);
      const keys = server?.cli('--raw', 'KEYS', '{lives}*').split('\n') ?? [];
      const forever = keys.filter(key => server?.cli('PTTL', key) === '-1');
      expect(forever.map(key => key.replace(node.epoch, 'E')).sort()).toEqual([
        '{lives}:E:due',
        '{lives}:E:index',
        '{lives}:E:nodes',
        '{lives}:hub',
      ]);
      expect(keys.length).toBeGreaterThan(8);
      await node.broker.close();
    },
  );

  describe.skipIf(process.env.REDIS_URL !== undefined)('what is kept beside the logs', () => {
    const cli = (...args: string[]) => server?.cli(...args) ?? '';
    async function nodeOf(prefix: string): Promise<Node> {
      const node = await begin(redisBroker({ url, prefix }));
      ending.push(() => node.broker.close());
      return node;
    }
    const ending: (() => unknown)[] = [];
    afterEach(async () => {
      for (const end of ending.splice(0)) await end();
    });

    it('the last batch of a node is kept while it publishes, and for ten minutes more', async () => {
      const silent = await nodeOf('nodes');
      await silent.publish(draft('x', '1'));
      const nodes = `{nodes}:${silent.epoch}:nodes`;
      const [name] = cli('ZRANGE', nodes, '0', '-1').split('\n') as [string];
      await (await nodeOf('nodes')).publish(draft('x', '2'));
      const [other] = cli('ZRANGE', nodes, '0', '-1')
        .split('\n')
        .filter(each => each !== name) as [string];
      const old = Date.now() - 11 * 60_000;
      cli('HSET', '{nodes}:hub', name, `1 ${old} 1 `);
      // The other one has published since it was written down.
      for (const each of [name, other]) cli('ZADD', nodes, String(old), each);
      await (await nodeOf('nodes')).publish(draft('x', '3'));
      expect(cli('HGET', '{nodes}:hub', name)).toBe('');
      expect(cli('HGET', '{nodes}:hub', other)).toMatch(/^1 \d+ 2$/);
      expect(cli('ZSCORE', nodes, name)).toBe('');
      expect(Number(cli('ZSCORE', nodes, other))).toBeGreaterThan(old);
      expect(await silent.publish(draft('x', '4'))).toEqual([4]);
      expect(Number(cli('ZCARD', nodes))).toBe(3);
    });

    it('channels that have expired are forgotten, however few are published to', async () => {
      const node = await nodeOf('forgotten');
      await node.publish(...Array.from({ length: 100 }, (_, index) => draft(`c${index}`, '')));
      const [due, index] = [`{forgotten}:${node.epoch}:due`, `{forgotten}:${node.epoch}:index`];
      await node.publish(draft('x', ''));
      for (let count = 0; count < 100; count++) cli('ZADD', due, '1', `c${count}`);
      for (let count = 0; count < 48; count++) await node.publish(draft('x', ''));
      expect(cli('ZRANGE', due, '0', '-1')).toBe('x');
      expect(cli('ZRANGE', index, '0', '-1')).toBe('x');
      expect(cli('HGET', '{forgotten}:hub', 'forgotten')).toBe('100');
      // What is not known is taken for lost.
      expect((await node.broker.read('never', 0, 149)).floor).toBe(100);
    });

    it('a channel is kept as its newest event says', async () => {
      const node = await nodeOf('settings');
      const keep = { events: 10, bytes: 1e6, age: 300_000, compact: false };
      const meta = `{settings}:${node.epoch}:meta:x`;
      await node.publish(draft('x', '1', { keep }));
      await node.publish(draft('x', '2', { keep: { ...keep, age: 200_000 } }));
      expect(cli('HMGET', meta, 'age', 'compact')).toBe('200000\n0');
      await node.publish(draft('x', '3', { keep: { ...keep, age: 200_000, compact: true } }));
      expect(cli('HMGET', meta, 'age', 'compact')).toBe('200000\n1');
      expect(Number(cli('PTTL', meta))).toBeGreaterThan(300_000);
      await node.publish(draft('x', '4', { keep: { ...keep, age: 200_000 } }));
      expect(cli('HMGET', meta, 'age', 'compact')).toBe('200000\n0');
    });
  });

  it.skipIf(process.env.REDIS_URL !== undefined)('needs no more rights than its README says', async () => {
    const readme = readFileSync(new URL('../../packages/redis/README.md', import.meta.url), 'utf8');
    const rights = readme.slice(readme.indexOf('An ACL')).match(/(?<=`)[^`]+(?=`)/g) ?? [];
    const list = rights.filter(text => /^[+~&]/.test(text)).flatMap(text => text.split(/,? /));
    server?.cli('ACL', 'SETUSER', 'app', 'on', '>pw', ...list.map(text => text.replace('prefix', 'rights')));
    const own = url.replace('redis://', 'redis://app:pw@');
    const node = await begin(redisBroker({ url: own, prefix: 'rights' }));
    const keep = { events: 2, bytes: 1e6, age: 300_000, compact: false };
    for (let round = 0; round < 3; round++) {
      const state = draft('state', '', { key: `${round % 2}`, keep: { ...keep, compact: true } });
      await node.publish(
        draft('x', '', { keep }),
        state,
        draft('none', '', { keep: { ...keep, events: 0 } }),
      );
    }
    await node.publish(draft('x', '', { kind: 'end', keep }));
    expect((await node.broker.open(new Map([['x', 0]]))).head).toBe(10);
    // As after a restart; and as after one that has lost something.
    server?.cli('HSET', '{rights}:hub', 'run', 'other');
    expect(await node.publish(draft('y', ''))).toEqual([2 ** 32 + 11]);
    server?.cli('HSET', '{rights}:hub', 'run', 'other', 'seq', String(2 ** 32 + 10));
    expect(await node.publish(draft('y', ''))).toEqual([1]);
    expect(node.sink.epochs).toHaveLength(1);
    await node.broker.close();
  });

  it('is reached by a URL alone', async () => {
    const node = await begin(redisBroker({ url, prefix: 'by-url', timeout: 999.5 }));
    await node.broker.close();
  });
});

describe('redisBroker', () => {
  const url = 'redis://127.0.0.1:1';

  it.each([
    ['nothing to connect with', { prefix: 'x' }, /either `client` or `url`/],
    ['two of them', { prefix: 'x', url, client: createClient({ url }) }, /either `client` or `url`/],
    ['no prefix', { url }, /prefix/],
    ['an empty prefix', { url, prefix: '' }, /prefix/],
    ['a prefix with braces', { url, prefix: 'a{b}' }, /prefix/],
    ['no time', { url, prefix: 'x', timeout: 0 }, /timeout/],
    ['too little between probes', { url, prefix: 'x', probeInterval: -1 }, /probeInterval/],
  ])('refuses %s', (_, options, message) => {
    expect(() => redisBroker(options as { prefix: string })).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringMatching(message) }),
    );
  });

  it('refuses what is no client', async () => {
    const strange = redisBroker({ client: {} as ReturnType<typeof createClient>, prefix: 'x' });
    await expect(begin(strange)).rejects.toMatchObject({ code: 'invalid-option' });
  });
});
