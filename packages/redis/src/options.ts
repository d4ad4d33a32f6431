import { TidingsError } from '@tidings/core';
import type { RedisClient } from './dialer.ts';

export interface RedisBrokerOptions {
  /**
   * A client of the package `redis` or `ioredis`, connected or not; of a Redis Cluster, the cluster's client once it
   * is connected. It tells how to connect, and is not used otherwise: the broker has two connections of its own.
   */
  client?: RedisClient | undefined;
  /** In place of a client: `redis://…`. Needs the package `redis` or `ioredis`. */
  url?: string | undefined;
  /**
   * The hub's identity: hubs with the same one, on the same Redis, are one hub. All of its keys begin with
   * `{prefix}:`. Any characters but braces.
   */
  prefix: string;
  /**
   * Uses sharded Pub/Sub. Default: on a Redis Cluster, where it must be. (There, other Pub/Sub loses messages while
   * every connection stays up.)
   */
  shardedPubSub?: boolean | undefined;
  /**
   * Ms that Redis may take for an answer, or for a connection. After that the connection is made anew. A publish has
   * its own deadline. Default: 5,000. Shorter finds a dead server sooner, and takes a slow one for dead.
   */
  timeout?: number | undefined;
  /**
   * Ms between two proofs that what is published still arrives. Each is one small call; quiet streams also learn
   * from it where the hub stands. Default: 5,000.
   */
  probeInterval?: number | undefined;
}

/** {@link RedisBrokerOptions} with every default filled in. */
export interface RedisBrokerSettings {
  source: RedisClient | string;
  prefix: string;
  shardedPubSub: boolean | undefined;
  timeout: number;
  probeInterval: number;
}

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readOptions(options: RedisBrokerOptions): RedisBrokerSettings {
  const { client, url, prefix, shardedPubSub, timeout = 5_000, probeInterval = 5_000 } = options;
  const source = client ?? url;
  if (source === undefined || (client !== undefined && url !== undefined)) {
    throw invalid('redisBroker needs either `client` or `url`');
  }
  if (typeof prefix !== 'string' || prefix === '' || /[{}]/.test(prefix)) {
    throw invalid('prefix must be a string of at least one character, without braces: it names the hub');
  }
  if (!isDuration(timeout)) throw invalid('timeout must be a number of ms above 0');
  if (!isDuration(probeInterval)) throw invalid('probeInterval must be a number of ms above 0');
  // An AbortSignal takes whole ms only.
  return { source, prefix, shardedPubSub, timeout: Math.ceil(timeout), probeInterval };
}

function isDuration(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value < 2 ** 31 - 1;
}

function invalid(message: string): TidingsError {
  return new TidingsError('invalid-option', message);
}
