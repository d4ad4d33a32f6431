import { TidingsError } from '@tidings/core';
import type { Connection } from './connection.ts';

/** Information from the INFO command of a Redis server. */
export interface ServerInfo {
  /** The replication id. It changes when the server starts, and when it becomes a master. */
  id: string;
  isCluster: boolean;
}

/** @throws {TidingsError} `broker`: the server is too old. */
export async function readServerInfo(connection: Connection): Promise<ServerInfo> {
  const read = await readInfo(connection, 'server');
  const version = read('redis_version');
  if (Number.parseInt(version, 10) < 7) {
    throw new TidingsError(
      'broker',
      `@tidings/redis needs Redis 7 or newer, or Valkey; the server has version ${version}`,
    );
  }
  const replication = await readInfo(connection, 'replication');
  return { id: replication('master_replid'), isCluster: read('redis_mode') === 'cluster' };
}

/**
 * Returns an error with advice if the server may evict keys. Clients receive a `reset` after an eviction: see hub.ts.
 * It does not call CONFIG, because managed services deny that command.
 */
export async function findEvictionRisk(connection: Connection): Promise<TidingsError | undefined> {
  const read = await readInfo(connection, 'memory');
  const policy = read('maxmemory_policy');
  if (policy === 'noeviction') return undefined;
  const found =
    policy === ''
      ? 'Redis does not say which maxmemory-policy it has. If it evicts keys'
      : `Redis has the maxmemory-policy ${policy}. When it evicts keys`;
  return new TidingsError('broker', `${found}, clients receive a reset: set maxmemory-policy to noeviction`);
}

async function readInfo(connection: Connection, section: string): Promise<(name: string) => string> {
  const info = String(await connection.call(['INFO', section]));
  return name => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '';
}
