import { redisBroker } from '@tidings/redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../support/system.ts';
import { brokerContract } from './contract.ts';
import { begin, draft } from './recorder.ts';
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
        '{lives}:hub',
      ]);
      expect(keys.length).toBeGreaterThan(8);
      await node.broker.close();
    },
  );

  it('is reached by a URL alone', async () => {
    const node = await begin(redisBroker({ url, prefix: 'by-url' }));
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
