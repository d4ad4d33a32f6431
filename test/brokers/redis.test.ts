import { afterAll, beforeAll } from 'vitest';
import { describeWith } from '../support/system.ts';
import { brokerContract } from './contract.ts';
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
});
