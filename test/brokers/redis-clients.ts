import { type RedisBrokerOptions, type RedisClient, redisBroker } from '@tidings/redis';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createClient } from 'redis';
import { createClient as createClient5 } from 'redis5';

/** The client libraries. These clients are never connected: the broker makes connections of its own. */
export const clients: { name: string; client(url: string): RedisClient }[] = [
  { name: 'redis', client: url => createClient({ url }) },
  { name: 'redis 5.0', client: url => createClient5({ url }) },
  { name: 'ioredis', client: url => new Redis(url, { lazyConnect: true, keyPrefix: 'app:' }) },
  { name: 'ioredis 5.3', client: url => new Redis5(url, { lazyConnect: true }) },
];

/** The current versions, for tests of faults. */
export const current = clients.filter(({ name }) => !name.includes(' '));

export function broker(client: RedisClient, prefix: string, options: Partial<RedisBrokerOptions> = {}) {
  return redisBroker({ client, prefix, timeout: 1_000, probeInterval: 300, ...options });
}
