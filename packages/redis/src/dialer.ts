import { TidingsError } from '@tidings/core';
import { type Address, Connection, type Dial, movedTo, type WireEvents } from './connection.ts';
import { dialIoredis, type IoredisClient, type IoredisCluster } from './ioredis.ts';
import { dialNodeRedis, type NodeRedisClient, type NodeRedisCluster } from './node-redis.ts';

/** A client that tells the broker how to connect. */
export type RedisClient = IoredisClient | IoredisCluster | NodeRedisClient | NodeRedisCluster;

/** Makes connections to the server that has the hub: of a cluster, the one node that has its slot. */
export class Dialer {
  readonly #findDials: () => Promise<Dial[]>;
  readonly #timeout: number;
  /** Where a node of the cluster has sent us. */
  #address: Address | undefined;
  /** Which of a cluster's nodes to ask. */
  #turn = 0;

  /** @param timeout ms, for a connection to be made, and for each call on it. */
  constructor(source: RedisClient | string, timeout: number) {
    this.#timeout = timeout;
    this.#findDials =
      typeof source === 'string' ? once(async () => [await dialUrl(source)]) : () => dialsOf(source);
  }

  /** @param signal aborted when nobody wants the connection any more. */
  async open(events: WireEvents, signal: AbortSignal): Promise<Connection> {
    const dials = await this.#findDials();
    const dial = dials[this.#turn % dials.length] as Dial;
    try {
      return await Connection.open(dial, { timeout: this.#timeout, signal }, events, this.#address);
    } catch (error) {
      // The node may be gone for good; any other one knows who has its slots.
      this.#address = undefined;
      this.#turn += 1;
      throw error;
    }
  }

  /** Follows an answer that sends to another node. False: it is not one. */
  redirect(error: unknown): boolean {
    const address = movedTo(error);
    if (address === undefined) return false;
    this.#address = address.host === '' ? undefined : address;
    return true;
  }
}

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

async function dialUrl(url: string): Promise<Dial> {
  const redis = await load(() => import('redis'));
  if (redis !== undefined) return dialNodeRedis(redis.createClient({ url }) as NodeRedisClient);
  const ioredis = await load(() => import('ioredis'));
  if (ioredis !== undefined)
    return dialIoredis(new ioredis.Redis(url, { lazyConnect: true }) as IoredisClient);
  throw new TidingsError(
    'broker',
    'redisBroker({ url }) needs the package `redis` or `ioredis`: install one',
  );
}

async function load<T>(find: () => Promise<T>): Promise<T | undefined> {
  try {
    return await find();
  } catch (error) {
    if (!/^(ERR_)?MODULE_NOT_FOUND$/.test(String((error as { code?: unknown }).code))) throw error;
    return undefined;
  }
}

async function dialsOf(client: RedisClient): Promise<Dial[]> {
  if ('nodes' in client && client.isCluster) return known(client.nodes().map(dialIoredis));
  if ('masters' in client) {
    const nodes = await Promise.all(client.masters.map(node => client.nodeClient(node)));
    return known(nodes.map(dialNodeRedis));
  }
  if ('sendCommand' in client && 'sSubscribe' in client) return [dialNodeRedis(client)];
  if ('call' in client) return [dialIoredis(client)];
  throw new TidingsError('invalid-option', 'client must be a client of the package `redis` or `ioredis`');
}

function known(dials: Dial[]): Dial[] {
  if (dials.length > 0) return dials;
  throw new TidingsError('broker', 'the client of the Redis Cluster knows no nodes yet: connect it first');
}
