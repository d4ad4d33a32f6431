import { type Dial, within } from './connection.ts';

/** What is needed of a client of the package `ioredis`. */
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

/** What is needed of a `Cluster` of the package `ioredis`. */
export interface IoredisCluster {
  readonly isCluster: boolean;
  nodes(role?: 'all' | 'master' | 'slave'): IoredisClient[];
}

/**
 * Makes connections like those of an ioredis client, but each with one life only: nothing is queued, sent again or
 * subscribed again behind our back. With its defaults ioredis stores what it publishes twice when a connection is
 * cut at the wrong moment.
 */
export function dialIoredis(original: IoredisClient): Dial {
  return async (events, patience, address) => {
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
      connectTimeout: patience.timeout,
      // Else a connection that is cut, or was gone before, keeps the process alive for two seconds.
      disconnectTimeout: 0,
      commandTimeout: undefined,
      socketTimeout: undefined,
    });
    const cut = () => client.disconnect();
    let failure: unknown;
    client.on('error', error => {
      failure ??= error;
      events.closed(error);
    });
    client.on('close', events.closed);
    client.on('message', events.message);
    client.on('smessage', events.message);
    // A cluster has moved the channels to another node. It may have said to which: that answer comes first.
    client.on('moved', () => setImmediate(events.closed, new Error('the subscriptions have moved')));
    try {
      await within(patience, client.connect(), cut);
    } catch (error) {
      // That of `connect` says no more than that it has failed.
      throw failure ?? error;
    }
    return {
      call: ([command = '', ...args]) => client.call(command, ...args),
      subscribe: (names, sharded) => (sharded ? client.ssubscribe(...names) : client.subscribe(...names)),
      unsubscribe: (names, sharded) =>
        sharded ? client.sunsubscribe(...names) : client.unsubscribe(...names),
      cut,
    };
  };
}
