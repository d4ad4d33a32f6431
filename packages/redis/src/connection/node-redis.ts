import { TidingsError } from '@tidings/core';
import { type Connect, connectWithin } from './library.ts';

type Listener = (message: string, channel: string) => unknown;

/** The part of a client of the package `redis` that the broker uses. */
export interface NodeRedisClient {
  // biome-ignore lint/suspicious/noExplicitAny: the package's own options
  readonly options?: any;
  // biome-ignore lint/suspicious/noExplicitAny: the package's own options
  duplicate(overrides?: any): NodeRedisClient;
  connect(): Promise<unknown>;
  destroy(): void;
  sendCommand(args: string[]): Promise<unknown>;
  subscribe(channels: string[], listener: Listener): Promise<unknown>;
  unsubscribe(channels: string[], listener: Listener): Promise<unknown>;
  sSubscribe(channels: string[], listener: Listener): Promise<unknown>;
  sUnsubscribe(channels: string[], listener: Listener): Promise<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: every event has its own
  on(event: string, listener: (...args: any[]) => void): unknown;
}

/** The part of a cluster of the package `redis` that the broker uses. */
export interface NodeRedisCluster {
  // biome-ignore lint/suspicious/noExplicitAny: the package's own type of a node
  readonly masters: any[];
  // biome-ignore lint/suspicious/noExplicitAny: the package's own type of a node
  nodeClient(node: any): NodeRedisClient | Promise<NodeRedisClient>;
}

/** The part of a sentinel client of the package `redis` that the broker uses. */
export interface NodeRedisSentinel {
  readonly isOpen: boolean;
  getMasterNode(): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the package's own client of a node
  _execute<T>(isReadonly: boolean, run: (client: any) => Promise<T>): Promise<T>;
}

/** Connects to the master that the sentinels name. */
export function connectSentinel(sentinel: NodeRedisSentinel): Connect {
  return async (events, limits) => {
    if (!sentinel.isOpen) {
      throw new TidingsError('broker', 'the sentinel client is not connected: call its connect() first');
    }
    let isOver = false;
    // The package provides the options of its connection to the master only through `_execute`.
    const found = sentinel._execute(false, async (master): Promise<[NodeRedisClient]> => {
      if (!isOver) await expectMaster(master, limits.timeout / 3);
      return [master];
    });
    await connectWithin(limits, found, () => {
      isOver = true;
    });
    const [master] = await found;
    return connectNodeRedis(master)(events, limits);
  };
}

/**
 * Throws unless the server is a master and replies. After an error that begins with READONLY, the package asks the
 * sentinels for the master and repeats the call. It does not do so by itself if a master was replaced or does not
 * reply.
 */
async function expectMaster(client: NodeRedisClient, timeout: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<string>(resolve => {
    timer = setTimeout(resolve, timeout, '');
  });
  const info = String(await Promise.race([client.sendCommand(['INFO', 'replication']), silence]));
  clearTimeout(timer);
  if (!info.includes('role:master'))
    throw new Error('READONLY the server is not a master, or does not reply');
}

/**
 * Connects with the options of a node-redis client, but without its reconnection: the library does not queue commands,
 * and does not subscribe again. With its defaults, node-redis subscribes again and delivers messages before it emits
 * `ready`.
 */
export function connectNodeRedis(original: NodeRedisClient): Connect {
  return async (events, limits, address) => {
    const { socket, url: _, ...options } = original.options ?? {};
    const client = original.duplicate({
      ...options,
      url: undefined,
      socket: {
        ...socket,
        ...address,
        reconnectStrategy: false,
        connectTimeout: limits.timeout,
        socketTimeout: undefined,
      },
      disableOfflineQueue: true,
      commandsQueueMaxLength: undefined,
      readonly: false,
      pingInterval: undefined,
      commandOptions: { timeout: undefined },
      clientSideCache: undefined,
      emitInvalidate: false,
    });
    const abort = () => {
      try {
        client.destroy();
      } catch {
        // `destroy` throws if the client is already closed.
      }
    };
    client.on('error', events.closed);
    client.on('end', events.closed);
    client.on('sharded-channel-moved', () => events.closed(new Error('the subscriptions have moved')));
    await connectWithin(limits, client.connect(), abort);
    const listener: Listener = (message, channel) => events.message(channel, message);
    return {
      call: args => client.sendCommand([...args]),
      subscribe: (names, sharded) =>
        sharded ? client.sSubscribe([...names], listener) : client.subscribe([...names], listener),
      // Without the listener argument, the library also removes subscriptions that are made before the reply arrives.
      unsubscribe: (names, sharded) =>
        sharded ? client.sUnsubscribe([...names], listener) : client.unsubscribe([...names], listener),
      abort,
    };
  };
}
