import { readFileSync } from 'node:fs';
import { redisBroker } from '@tidings/redis';
import { createClient, createClientPool } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../support/system.ts';
import { brokerContract } from './contract.ts';
import { draft, type StartedBroker, start } from './recorder.ts';
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
    'gives every key an expiry, except the hub and its index',
    async () => {
      const node = await start(redisBroker({ url, prefix: 'lives' }));
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
      await node.publish(
        draft('kept', '', { kind: 'end', keep }),
        draft('kept', '', { kind: 'begin', keep }),
      );
      await node.broker.read('state', 0, 99);
      const keys = server?.cli('--raw', 'KEYS', '{lives}*').split('\n') ?? [];
      const forever = keys.filter(key => server?.cli('PTTL', key) === '-1');
      expect(forever.map(key => key.replace(node.epoch, 'E')).sort()).toEqual([
        '{lives}:E:index',
        '{lives}:hub',
      ]);
      expect(keys.length).toBeGreaterThan(8);
      await node.broker.close();
    },
  );

  describe.skipIf(process.env.REDIS_URL !== undefined)('the keys', () => {
    const cli = (...args: string[]) => server?.cli(...args) ?? '';
    async function nodeOf(prefix: string): Promise<StartedBroker> {
      const node = await start(redisBroker({ url, prefix }));
      ending.push(() => node.broker.close());
      return node;
    }
    /** Lets a channel be forgotten by the next sweep. redis-cli takes no NUL. */
    async function expire(index: string, channel: string): Promise<void> {
      const client = createClient({ url });
      await client.connect();
      await client.zAdd(index, { score: -1, value: `\0\0${channel}` });
      client.destroy();
    }
    const ending: (() => unknown)[] = [];
    afterEach(async () => {
      for (const end of ending.splice(0)) await end();
    });

    it('keep the last batch of a process for ten minutes', async () => {
      const silent = await nodeOf('nodes');
      await silent.publish(draft('x', '1'));
      const names = () =>
        cli('HKEYS', '{nodes}:hub')
          .split('\n')
          .filter(name => name.startsWith('p:'));
      const [name] = names() as [string];
      cli('HSET', '{nodes}:hub', name, `1 ${Date.now() - 9 * 60_000} 1 `);
      await (await nodeOf('nodes')).publish(draft('x', '2'));
      expect(names()).toHaveLength(2);
      cli('HSET', '{nodes}:hub', name, `1 ${Date.now() - 11 * 60_000} 1 `);
      await (await nodeOf('nodes')).publish(draft('x', '3'));
      expect(names()).toHaveLength(2);
      expect(names()).not.toContain(name);
      expect(await silent.publish(draft('x', '4'))).toEqual([4]);
      expect(names()).toContain(name);
    });

    it('of expired channels are deleted, however few channels are published to', async () => {
      const node = await nodeOf('forgotten');
      await node.publish(...Array.from({ length: 100 }, (_, index) => draft(`c${index}`, '')));
      const index = `{forgotten}:${node.epoch}:index`;
      await node.publish(draft('x', ''));
      for (let count = 0; count < 100; count++) await expire(index, `c${count}`);
      for (let count = 0; count < 48; count++) await node.publish(draft('x', ''));
      // '', and x with its expiry.
      expect(Number(cli('ZCARD', index))).toBe(3);
      expect(Number(cli('ZSCORE', index, 'x'))).toBe(149);
      expect(cli('HGET', '{forgotten}:hub', 'forgotten')).toBe('100');
      // An unknown channel may have had entries up to there.
      expect((await node.broker.read('never', 0, 149)).trimmedUpTo).toBe(100);
    });

    it('store the end of a channel as long as the channel, and then accept it as a new one', async () => {
      const [a, b] = [await nodeOf('ended'), await nodeOf('ended')];
      const key = (name: string) => `{ended}:${a.epoch}:${name}`;
      await a.publish(draft('x', '1'), draft('x', '', { kind: 'end' }), draft('y', '', { kind: 'end' }));
      // Its keys have expired.
      cli('DEL', key('meta:x'), key('log:x'), key('meta:y'), key('log:y'));
      for (const node of [a, b]) {
        expect(await node.broker.state('x')).toEqual({ state: 'ended', last: 2 });
        expect(await node.broker.read('x', 0, 9)).toMatchObject({ endedAt: 2, trimmedUpTo: 2 });
        await expect(node.publish(draft('x', ''))).rejects.toMatchObject({ code: 'ended' });
      }
      expect(await a.publish(draft('y', '', { kind: 'begin' }), draft('y', '5'))).toEqual([4, 5]);
      expect(await b.broker.read('y', 3, 9)).toMatchObject({ trimmedUpTo: 3, last: 5 });
      // And then it is forgotten.
      await expire(key('index'), 'x');
      await b.publish(...Array.from({ length: 16 }, () => draft('z', '')));
      expect(cli('ZSCORE', key('index'), 'x')).toBe('');
      for (const node of [a, b]) expect(await node.broker.state('x')).toEqual({ state: 'unknown', last: 0 });
      expect(await b.publish(draft('x', 'again'))).toEqual([22]);
      expect(await a.broker.state('x')).toEqual({ state: 'open', last: 22 });
    });

    it.each([
      ['an older', ''],
      ['a newer', '99'],
    ])('of %s version are refused, with instructions', async (which, version) => {
      const prefix = `version${version}`;
      const running = await nodeOf(prefix);
      await running.publish(draft('x', '1'));
      if (version === '') cli('HDEL', `{${prefix}}:hub`, 'version');
      else cli('HSET', `{${prefix}}:hub`, 'version', version);
      // Then the first call is an EVAL.
      cli('SCRIPT', 'FLUSH');
      const before = cli('HGETALL', `{${prefix}}:hub`);
      const message = expect.stringMatching(
        new RegExp(`\\{${prefix}\\}:\\* were written by ${which} version.*use another prefix, or delete`),
      );
      await expect(nodeOf(prefix)).rejects.toMatchObject({ code: 'broker', message });
      await expect(running.broker.open(new Map([['x', 0]]))).rejects.toMatchObject({
        code: 'broker',
        message,
      });
      await expect(running.broker.publish([draft('x', '2')], AbortSignal.timeout(999))).rejects.toMatchObject(
        {
          code: 'not-stored',
          cause: { code: 'broker', message },
        },
      );
      expect(cli('HGETALL', `{${prefix}}:hub`)).toBe(before);
    });

    it('follow the settings of the newest event', async () => {
      const node = await nodeOf('settings');
      const keep = { events: 10, bytes: 1e6, age: 300_000, compact: false };
      const meta = `{settings}:${node.epoch}:meta:x`;
      const settings = () => cli('GET', meta).split(' ').slice(-4).join(' ');
      await node.publish(draft('x', '1', { keep }));
      await node.publish(draft('x', '2', { keep: { ...keep, age: 200_000 } }));
      expect(settings()).toBe('10 1000000 200000 0');
      await node.publish(draft('x', '3', { keep: { ...keep, age: 200_000, compact: true } }));
      expect(settings()).toBe('10 1000000 200000 1');
      expect(Number(cli('PTTL', meta))).toBeGreaterThan(300_000);
      await node.publish(draft('x', '4', { keep: { ...keep, age: 200_000 } }));
      expect(settings()).toBe('10 1000000 200000 0');
    });
  });

  it.skipIf(process.env.REDIS_URL !== undefined)(
    'needs only the permissions that its README lists',
    async () => {
      const readme = readFileSync(new URL('../../packages/redis/README.md', import.meta.url), 'utf8');
      const rights = readme.slice(readme.indexOf('## Permissions (ACL)')).match(/(?<=`)[^`]+(?=`)/g) ?? [];
      const list = rights.filter(text => /^[+~&]/.test(text)).flatMap(text => text.split(/,? /));
      server?.cli(
        'ACL',
        'SETUSER',
        'app',
        'on',
        '>pw',
        ...list.map(text => text.replace('prefix', 'rights')),
      );
      const own = url.replace('redis://', 'redis://app:pw@');
      const node = await start(redisBroker({ url: own, prefix: 'rights' }));
      const keep = { events: 2, bytes: 1e6, age: 300_000, compact: false };
      for (let round = 0; round < 3; round++) {
        const state = draft('state', '', { key: `${round % 2}`, keep: { ...keep, compact: true } });
        await node.publish(
          draft('x', '', { keep }),
          state,
          draft('none', '', { keep: { ...keep, events: 0 } }),
        );
      }
      await node.publish(draft('x', '', { kind: 'end', keep }), draft('y', '', { kind: 'end', keep }));
      await node.publish(draft('y', '', { kind: 'begin', keep }));
      expect(await node.broker.state('x')).toEqual({ state: 'ended', last: 10 });
      expect((await node.broker.open(new Map([['x', 0]]))).head).toBe(12);
      // After a restart, and after one that has lost entries.
      server?.cli('HSET', '{rights}:hub', 'server', 'other');
      expect(await node.publish(draft('y', ''))).toEqual([2 ** 32 + 13]);
      server?.cli('HSET', '{rights}:hub', 'server', 'other', 'seq', String(2 ** 32 + 12));
      expect(await node.publish(draft('y', ''))).toEqual([1]);
      expect(node.sink.epochs).toHaveLength(1);
      await node.broker.close();
    },
  );

  it('connects with a URL alone', async () => {
    const node = await start(redisBroker({ url, prefix: 'by-url', timeout: 999.5 }));
    await node.broker.close();
  });
});

describe('redisBroker', () => {
  const url = 'redis://127.0.0.1:1';

  it.each([
    ['no server', { prefix: 'x' }, /either `client` or `url`/],
    [
      'both a client and a URL',
      { prefix: 'x', url, client: createClient({ url }) },
      /either `client` or `url`/,
    ],
    ['no prefix', { url }, /prefix/],
    ['an empty prefix', { url, prefix: '' }, /prefix/],
    ['a prefix with braces', { url, prefix: 'a{b}' }, /prefix/],
    ['a timeout of 0', { url, prefix: 'x', timeout: 0 }, /timeout/],
    ['a negative probe interval', { url, prefix: 'x', probeInterval: -1 }, /probeInterval/],
  ])('refuses %s', (_, options, message) => {
    expect(() => redisBroker(options as { prefix: string })).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringMatching(message) }),
    );
  });

  it.each<[string, unknown]>([
    ['an object', {}],
    ['a promise', Promise.resolve(createClient({ url }))],
    ['a pool', createClientPool({ url })],
    ['a URL as the client', url],
    ['null', null],
    ['options', { host: '127.0.0.1', port: 1 }],
  ])('refuses what is no client: %s', (_, client) => {
    expect(() => redisBroker({ client: client as ReturnType<typeof createClient>, prefix: 'x' })).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringMatching(/client/) }),
    );
  });
});
