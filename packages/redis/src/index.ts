export { redisBroker } from './broker.ts';
export type { RedisClient } from './dialer.ts';
export type { IoredisClient, IoredisCluster } from './ioredis.ts';
export type { NodeRedisClient, NodeRedisCluster } from './node-redis.ts';
export type { RedisBrokerOptions } from './options.ts';
