import { TidingsError } from '@tidings/core';
import { type Connection, isAnswer } from './connection.ts';

/** What a Redis server says of itself. */
export interface ServerInfo {
  /** Another one after each start. */
  run: string;
  isCluster: boolean;
}

/** @throws {TidingsError} `broker`: it is too old. */
export async function readServer(connection: Connection): Promise<ServerInfo> {
  const info = String(await connection.call(['INFO', 'server']));
  const read = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '';
  const version = read('redis_version');
  if (Number.parseInt(version, 10) < 7) {
    throw new TidingsError('broker', `Redis 7 or newer is needed, or Valkey; this is ${version}`);
  }
  return { run: read('run_id'), isCluster: read('redis_mode') === 'cluster' };
}

/**
 * A server that makes room by deleting keys takes them from the middle of a log, which nobody would notice.
 *
 * @throws {TidingsError} `broker`
 */
export async function checkPolicy(connection: Connection): Promise<void> {
  let policy: string | undefined;
  try {
    const reply = await connection.call(['CONFIG', 'GET', 'maxmemory-policy']);
    policy = Array.isArray(reply) ? reply[1] : (reply as Record<string, string>)['maxmemory-policy'];
  } catch (error) {
    // Hosted Redis often does not say.
    if (!isAnswer(error)) throw error;
  }
  if (policy === undefined || policy === 'noeviction') return;
  throw new TidingsError(
    'broker',
    `Redis has the maxmemory-policy ${policy}, and would delete history when memory is short: set it to noeviction`,
  );
}
