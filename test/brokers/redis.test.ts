import { redisBroker } from '@tidings/redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../support/system.ts';
import { brokerContract } from './contract.ts';
import { begin } from './recorder.ts';
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
