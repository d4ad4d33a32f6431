import { TidingsError } from '@tidings/core';
import { type FindServers, type RedisClient, serverAt, serversOf } from './connection/dialer.ts';

export interface RedisBrokerOptions {
  /**
   * A client of the package `redis` or `ioredis`, connected or not. For Redis Sentinel: what `createSentinel` of `redis`
   * returns, connected, or a client of `ioredis` with `sentinels`. For a Redis Cluster: the cluster's client, connected.
   * It only tells the broker how to connect: the broker makes two connections of its own.
   */
  client?: RedisClient | undefined;
  /** Instead of a client: `redis://…`. Needs the package `redis` or `ioredis`. */
  url?: string | undefined;
  /**
   * The hub's identity: hubs with the same prefix on the same Redis are one hub. All of its keys begin with
   * `{prefix}:`. Any characters except braces.
   */
  prefix: string;
  /**
   * Uses sharded Pub/Sub. Default: on a Redis Cluster, which requires it: there, ordinary Pub/Sub loses messages while
   * every connection is up.
   */
  shardedPubSub?: boolean | undefined;
  /**
   * Time in ms for a reply of Redis, or for a connection, before the broker reconnects. `publish` has a deadline of its
   * own. Default: 5,000. A shorter one detects a dead server sooner, and mistakes a slow one for dead.
   */
  timeout?: number | undefined;
  /**
   * Time in ms between two probes that messages still arrive. Each probe is one small call; quiet streams learn the
   * hub's newest position from it. Default: 5,000.
   */
  probeInterval?: number | undefined;
}

/** {@link RedisBrokerOptions} with every default filled in. */
export interface RedisBrokerSettings {
  findServers: FindServers;
  prefix: string;
  shardedPubSub: boolean | undefined;
  timeout: number;
  probeInterval: number;
}

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readOptions(options: RedisBrokerOptions): RedisBrokerSettings {
  const { client, url, prefix, shardedPubSub, timeout = 5_000, probeInterval = 5_000 } = options;
  if ((client === undefined) === (url === undefined)) {
    throw invalid('redisBroker needs either `client` or `url`');
  }
  if (typeof prefix !== 'string' || prefix === '' || /[{}]/.test(prefix)) {
    throw invalid('prefix must be a string of at least one character, without braces: it names the hub');
  }
  if (!isDuration(timeout)) throw invalid('timeout must be a number of ms above 0');
  if (!isDuration(probeInterval)) throw invalid('probeInterval must be a number of ms above 0');
  // AbortSignal.timeout takes whole ms only.
  const findServers = url === undefined ? serversOf(client as RedisClient) : serverAt(url);
  return { findServers, prefix, shardedPubSub, timeout: Math.ceil(timeout), probeInterval };
}

function isDuration(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value < 2 ** 31 - 1;
}

function invalid(message: string): TidingsError {
  return new TidingsError('invalid-option', message);
}
