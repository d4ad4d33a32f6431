import { TidingsError } from '@tidings/core';
import { type FindServers, type RedisClient, serverAt, serversOf } from './connection/dialer.ts';

/** The options of `redisBroker()`. */
export interface RedisBrokerOptions {
  /**
   * A client of the package `redis` or `ioredis`, connected or not. For Redis Sentinel: the result of `createSentinel`
   * of `redis`, connected, or a client of `ioredis` with `sentinels`. For a Redis Cluster: the client of the cluster,
   * connected. The broker uses only its settings, and opens two connections of its own.
   */
  client?: RedisClient | undefined;
  /** Instead of a client: `redis://…`. Needs the package `redis` or `ioredis`. */
  url?: string | undefined;
  /**
   * Identifies the hub: hubs with the same prefix on the same Redis are one hub. All of its keys begin with
   * `{prefix}:`. Any characters except braces.
   */
  prefix: string;
  /**
   * Uses sharded Pub/Sub. Default: true on a Redis Cluster, otherwise false. A cluster requires it, because ordinary
   * Pub/Sub loses messages there.
   */
  shardedPubSub?: boolean | undefined;
  /**
   * Time in ms for a reply of Redis, or for a connection, before the broker reconnects. `publish` has a deadline of its
   * own. A short time detects a dead server sooner, but may also disconnect from a slow one. Default: 5,000.
   */
  timeout?: number | undefined;
  /**
   * Time in ms between two probes, which check that messages arrive. Each probe is one small call. It also updates the
   * hub's newest position for idle streams. Default: 5,000.
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
    throw invalid('redisBroker() needs either `client` or `url`, and not both');
  }
  if (typeof prefix !== 'string' || prefix === '' || /[{}]/.test(prefix)) {
    throw invalid(`prefix must be a string of at least one character, without braces; got ${show(prefix)}`);
  }
  if (!isDuration(timeout))
    throw invalid(`timeout must be a number of ms above 0, below 2 ** 31 - 1; got ${show(timeout)}`);
  if (!isDuration(probeInterval))
    throw invalid(
      `probeInterval must be a number of ms above 0, below 2 ** 31 - 1; got ${show(probeInterval)}`,
    );
  // AbortSignal.timeout needs an integer.
  const findServers = url === undefined ? serversOf(client as RedisClient) : serverAt(url);
  return { findServers, prefix, shardedPubSub, timeout: Math.ceil(timeout), probeInterval };
}

function isDuration(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value < 2 ** 31 - 1;
}

/** Formats a value for an error message: strings in quotes, objects and functions by their type. */
function show(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value)
    : typeof value === 'number'
      ? String(value)
      : typeof value;
}

function invalid(message: string): TidingsError {
  return new TidingsError('invalid-option', message);
}
