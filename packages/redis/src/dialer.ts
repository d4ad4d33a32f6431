import { TidingsError } from '@tidings/core';
import { type Address, type Connect, Connection, type ConnectionEvents, movedTo } from './connection.ts';
import { isErrorReply } from './errors.ts';
import { connectIoredis, type IoredisClient, type IoredisCluster } from './ioredis.ts';
import { connectNodeRedis, type NodeRedisClient, type NodeRedisCluster } from './node-redis.ts';

/** A client that tells the broker how to connect. */
export type RedisClient = IoredisClient | IoredisCluster | NodeRedisClient | NodeRedisCluster;

/** Connects to the server that has the hub's keys; in a cluster, the master of their slot. */
export class Dialer {
  readonly #findServers: () => Promise<Connect[]>;
  readonly #timeout: number;
  /** Where the last `MOVED` reply redirected to. */
  #address: Address | undefined;
  /** Index of the cluster's server to try next. */
  #next = 0;

  /** @param timeout ms, to connect and for each call. */
  constructor(source: RedisClient | string, timeout: number) {
    this.#timeout = timeout;
    this.#findServers =
      typeof source === 'string' ? once(async () => [await serverOfUrl(source)]) : () => serversOf(source);
  }

  /** @param signal aborted when the connection is no longer needed. */
  async open(events: ConnectionEvents, signal: AbortSignal): Promise<Connection> {
    const servers = await this.#findServers();
    const connect = servers[this.#next % servers.length] as Connect;
    try {
      return await Connection.open(connect, { timeout: this.#timeout, signal }, events, this.#address);
    } catch (error) {
      // The server may be gone for good. Every other server of the cluster knows who has its slots.
      this.#address = undefined;
      this.#next += 1;
      throw error;
    }
  }

  /** Connects to another server from now on, if the error is a redirection to one. */
  redirect(error: unknown): void {
    const address = movedTo(error);
    // An empty host is the server that was asked.
    if (address !== undefined) this.#address = address.host === '' ? undefined : address;
  }
}

/** What a Redis server says about itself. */
export interface ServerInfo {
  /** Changes at each start of the server. */
  runId: string;
  isCluster: boolean;
}

/** @throws {TidingsError} `broker`: the server is too old. */
export async function readServerInfo(connection: Connection): Promise<ServerInfo> {
  const info = String(await connection.call(['INFO', 'server']));
  const read = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '';
  const version = read('redis_version');
  if (Number.parseInt(version, 10) < 7) {
    throw new TidingsError('broker', `Redis 7 or newer is needed, or Valkey; this is ${version}`);
  }
  return { runId: read('run_id'), isCluster: read('redis_mode') === 'cluster' };
}

/**
 * Checks that the server evicts no keys: an eviction would leave a gap in a log that nobody notices.
 *
 * @throws {TidingsError} `broker`: it does.
 */
export async function checkEvictionPolicy(connection: Connection): Promise<void> {
  let policy: string | undefined;
  try {
    const reply = await connection.call(['CONFIG', 'GET', 'maxmemory-policy']);
    policy = Array.isArray(reply) ? reply[1] : (reply as Record<string, string>)['maxmemory-policy'];
  } catch (error) {
    // Managed services often deny CONFIG.
    if (!isErrorReply(error)) throw error;
  }
  if (policy === undefined || policy === 'noeviction') return;
  throw new TidingsError(
    'broker',
    `Redis has the maxmemory-policy ${policy}, and would delete history when memory is short: set it to noeviction`,
  );
}

/** Remembers what `make` resolves with; calls it again after a rejection. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    made.catch(() => {
      made = undefined;
    });
    return made;
  };
}

async function serverOfUrl(url: string): Promise<Connect> {
  const redis = await importIfInstalled(() => import('redis'));
  if (redis !== undefined) return connectNodeRedis(redis.createClient({ url }) as NodeRedisClient);
  const ioredis = await importIfInstalled(() => import('ioredis'));
  if (ioredis !== undefined)
    return connectIoredis(new ioredis.Redis(url, { lazyConnect: true }) as IoredisClient);
  throw new TidingsError(
    'broker',
    'redisBroker({ url }) needs the package `redis` or `ioredis`: install one',
  );
}

async function importIfInstalled<T>(load: () => Promise<T>): Promise<T | undefined> {
  try {
    return await load();
  } catch (error) {
    if (!/^(ERR_)?MODULE_NOT_FOUND$/.test(String((error as { code?: unknown }).code))) throw error;
    return undefined;
  }
}

async function serversOf(client: RedisClient): Promise<Connect[]> {
  if ('nodes' in client && client.isCluster) return notEmpty(client.nodes().map(connectIoredis));
  if ('masters' in client) {
    const nodes = await Promise.all(client.masters.map(node => client.nodeClient(node)));
    return notEmpty(nodes.map(connectNodeRedis));
  }
  if ('sendCommand' in client && 'sSubscribe' in client) return [connectNodeRedis(client)];
  if ('call' in client) return [connectIoredis(client)];
  throw new TidingsError('invalid-option', 'client must be a client of the package `redis` or `ioredis`');
}

function notEmpty(servers: Connect[]): Connect[] {
  if (servers.length > 0) return servers;
  throw new TidingsError('broker', 'the client of the Redis Cluster knows no nodes yet: connect it first');
}
