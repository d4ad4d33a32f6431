export { redisBroker } from './broker.ts';
export type { RedisClient } from './connection/dialer.ts';
export type { IoredisClient, IoredisCluster } from './connection/ioredis.ts';
export type { NodeRedisClient, NodeRedisCluster, NodeRedisSentinel } from './connection/node-redis.ts';
export type { RedisBrokerOptions } from './options.ts';
