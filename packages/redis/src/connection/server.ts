import { TidingsError } from '@tidings/core';
import { isErrorReply } from '../errors.ts';
import type { Connection } from './connection.ts';

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
