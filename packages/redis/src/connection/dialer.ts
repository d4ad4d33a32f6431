import { TidingsError } from '@tidings/core';
import { Connection } from './connection.ts';
import { connectIoredis, type IoredisClient, type IoredisCluster } from './ioredis.ts';
import { type Address, type Connect, type ConnectionEvents, movedTo } from './library.ts';
import {
  connectNodeRedis,
  connectSentinel,
  type NodeRedisClient,
  type NodeRedisCluster,
  type NodeRedisSentinel,
} from './node-redis.ts';

/** A client of `redis` or `ioredis`. The broker uses only its settings. */
export type RedisClient =
  | IoredisClient
  | IoredisCluster
  | NodeRedisClient
  | NodeRedisCluster
  | NodeRedisSentinel;

/**
 * Lists the servers that have the hub's keys, or can redirect to the server that has them: one, or those of a cluster.
 */
export type FindServers = () => Promise<Connect[]>;

/** Connects to the server that has the hub's keys; in a cluster, the master of their slot. */
export class Dialer {
  readonly #findServers: FindServers;
  readonly #timeout: number;
  /** The address in the last `MOVED` reply. */
  #address: Address | undefined;
  /** Index of the cluster's server to try next. */
  #next = 0;

  /** @param timeout ms, for connecting and for each call. */
  constructor(findServers: FindServers, timeout: number) {
    this.#timeout = timeout;
    this.#findServers = findServers;
  }

  /** @param signal aborted when the connection is no longer needed. */
  async open(events: ConnectionEvents, signal: AbortSignal): Promise<Connection> {
    const servers = await this.#findServers();
    const connect = servers[this.#next % servers.length] as Connect;
    try {
      return await Connection.open(connect, { timeout: this.#timeout, signal }, events, this.#address);
    } catch (error) {
      // The server may never return. Every other server of the cluster can redirect to the new master of its slots.
      this.#address = undefined;
      this.#next += 1;
      throw error;
    }
  }

  /** If the error is a redirection, later connections go to the new address. Returns whether it is a redirection. */
  redirect(error: unknown): boolean {
    const address = movedTo(error);
    if (address === undefined) return false;
    // An empty host means the server that replied.
    this.#address = address.host === '' ? undefined : address;
    return true;
  }
}

/** Caches the result of `load`. Calls it again after a rejection. */
function cached<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => {
    loaded ??= load();
    loaded.catch(() => {
      loaded = undefined;
    });
    return loaded;
  };
}

/** The server of a URL. Uses the client library that is installed: `redis` or `ioredis`. */
export function serverAt(url: string): FindServers {
  return cached(async () => [await connectTo(url)]);
}

async function connectTo(url: string): Promise<Connect> {
  const redis = await importRedis();
  if (redis !== undefined) return connectNodeRedis(redis.createClient({ url }) as NodeRedisClient);
  const ioredis = await importIoredis();
  if (ioredis !== undefined)
    return connectIoredis(new ioredis.Redis(url, { lazyConnect: true }) as IoredisClient);
  throw new TidingsError(
    'broker',
    'redisBroker({ url }) needs the package `redis` or `ioredis`: install one',
  );
}

// Bundlers accept a missing package only if its `import()` is inside `try`.

async function importRedis() {
  try {
    return await import('redis');
  } catch (error) {
    return throwUnlessMissing(error);
  }
}

async function importIoredis() {
  try {
    return await import('ioredis');
  } catch (error) {
    return throwUnlessMissing(error);
  }
}

function throwUnlessMissing(error: unknown): undefined {
  if (!/^(ERR_)?MODULE_NOT_FOUND$/.test(String((error as { code?: unknown }).code))) throw error;
}

/** @throws {TidingsError} `invalid-option`: the value is not a client. */
export function serversOf(source: RedisClient): FindServers {
  const has = (...names: string[]) => names.every(name => name in source);
  if (typeof source === 'object' && source !== null) {
    if (has('nodes', 'isCluster')) {
      return async () => notEmpty((source as IoredisCluster).nodes().map(connectIoredis));
    }
    if (has('masters', 'nodeClient')) return () => serversOfCluster(source as NodeRedisCluster);
    if (has('getMasterNode', '_execute')) return async () => [connectSentinel(source as NodeRedisSentinel)];
    if (has('sSubscribe', 'duplicate')) return async () => [connectNodeRedis(source as NodeRedisClient)];
    if (has('ssubscribe', 'duplicate')) return async () => [connectIoredis(source as IoredisClient)];
  }
  throw new TidingsError(
    'invalid-option',
    'client must be the result of createClient, createCluster or createSentinel of `redis`, or a Redis or Cluster of `ioredis`',
  );
}

async function serversOfCluster(cluster: NodeRedisCluster): Promise<Connect[]> {
  const nodes = await Promise.all(cluster.masters.map(node => cluster.nodeClient(node)));
  return notEmpty(nodes.map(connectNodeRedis));
}

function notEmpty(servers: Connect[]): Connect[] {
  if (servers.length > 0) return servers;
  throw new TidingsError('broker', 'the client of the Redis Cluster is not connected: connect it first');
}
