import { type Dial, within } from './connection.ts';

type Listener = (message: string, channel: string) => unknown;

/** What is needed of a client of the package `redis`. */
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

/** What is needed of a cluster of the package `redis`. */
export interface NodeRedisCluster {
  // biome-ignore lint/suspicious/noExplicitAny: the package's own type of a node
  readonly masters: any[];
  // biome-ignore lint/suspicious/noExplicitAny: the package's own type of a node
  nodeClient(node: any): NodeRedisClient | Promise<NodeRedisClient>;
}

/**
 * Makes connections like those of a node-redis client, but each with one life only: nothing is queued, and nothing
 * subscribed again behind our back. Left to itself node-redis subscribes again, and delivers, before it says so.
 */
export function dialNodeRedis(original: NodeRedisClient): Dial {
  return async (events, patience, address) => {
    const { socket, url: _, ...options } = original.options ?? {};
    const client = original.duplicate({
      ...options,
      url: undefined,
      socket: {
        ...socket,
        ...address,
        reconnectStrategy: false,
        connectTimeout: patience.timeout,
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
    const cut = () => {
      try {
        client.destroy();
      } catch {
        // It throws when it is closed already.
      }
    };
    client.on('error', events.closed);
    client.on('end', events.closed);
    client.on('sharded-channel-moved', () => events.closed(new Error('the subscriptions have moved')));
    await within(patience, client.connect(), cut);
    const listener: Listener = (message, channel) => events.message(channel, message);
    return {
      call: args => client.sendCommand([...args]),
      subscribe: (names, sharded) =>
        sharded ? client.sSubscribe([...names], listener) : client.subscribe([...names], listener),
      // Without the listener, it forgets those who subscribe again before this is answered.
      unsubscribe: (names, sharded) =>
        sharded ? client.sUnsubscribe([...names], listener) : client.unsubscribe([...names], listener),
      cut,
    };
  };
}
