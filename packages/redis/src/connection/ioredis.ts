import { type Connect, connectWithin } from './library.ts';

/** The part of a client of the package `ioredis` that the broker uses. */
export interface IoredisClient {
  // biome-ignore lint/suspicious/noExplicitAny: the package's own options
  duplicate(override?: any): IoredisClient;
  connect(): Promise<unknown>;
  disconnect(): void;
  call(command: string, ...args: string[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  ssubscribe(...channels: string[]): Promise<unknown>;
  sunsubscribe(...channels: string[]): Promise<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: every event has its own
  on(event: string, listener: (...args: any[]) => void): unknown;
}

/** The part of a `Cluster` of the package `ioredis` that the broker uses. */
export interface IoredisCluster {
  readonly isCluster: boolean;
  nodes(role?: 'all' | 'master' | 'slave'): IoredisClient[];
}

/**
 * Connects with the options of an ioredis client, but without its reconnection: the library does not queue or resend
 * commands, and does not subscribe again. With its defaults, ioredis stores an event twice if the connection is lost
 * between the command and its reply.
 */
export function connectIoredis(original: IoredisClient): Connect {
  return async (events, limits, address) => {
    const client = original.duplicate({
      ...address,
      lazyConnect: true,
      retryStrategy: null,
      reconnectOnError: null,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      enableAutoPipelining: false,
      readOnly: false,
      monitor: false,
      keyPrefix: '',
      connectTimeout: limits.timeout,
      // Otherwise an aborted connection, or one that was never established, keeps the process alive for two seconds.
      disconnectTimeout: 0,
      commandTimeout: undefined,
      socketTimeout: undefined,
    });
    const abort = () => client.disconnect();
    let failure: unknown;
    client.on('error', error => {
      failure ??= error;
      events.closed(error);
    });
    client.on('close', events.closed);
    client.on('message', events.message);
    client.on('smessage', events.message);
    // A cluster has moved the channels to another server. Deferred, because a `MOVED` reply with the address may arrive
    // in the same tick.
    client.on('moved', () => setImmediate(events.closed, new Error('the subscriptions have moved')));
    try {
      await connectWithin(limits, client.connect(), abort);
    } catch (error) {
      // `connect` rejects with "Connection is closed."; the cause is in the 'error' event.
      throw failure ?? error;
    }
    return {
      call: ([command = '', ...args]) => client.call(command, ...args),
      subscribe: (names, sharded) => (sharded ? client.ssubscribe(...names) : client.subscribe(...names)),
      unsubscribe: (names, sharded) =>
        sharded ? client.sunsubscribe(...names) : client.unsubscribe(...names),
      abort,
    };
  };
}
