import { randomBytes } from 'node:crypto';
import {
  type Broker,
  type Draft,
  type LogHead,
  type Opened,
  type Page,
  type Position,
  type Published,
  type Reach,
  type Sink,
  TidingsError,
} from '@tidings/core';
import { checkEvictionPolicy, Dialer, readServerInfo } from './dialer.ts';
import { toBrokerError } from './errors.ts';
import { Names } from './format.ts';
import { LiveFeed } from './live-feed.ts';
import { type RedisBrokerOptions, type RedisBrokerSettings, readOptions } from './options.ts';
import { Publisher } from './publisher.ts';
import { ReconnectingConnection } from './reconnecting-connection.ts';
import { ScriptCaller } from './scripts/caller.ts';
import { Store } from './store.ts';

/**
 * Stores a hub's log in Redis, for hubs in any number of processes. Does not connect before the hub starts it.
 *
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function redisBroker(options: RedisBrokerOptions): Broker {
  return new RedisBroker(readOptions(options));
}

/**
 * Two connections: one for calls (`connection`, used by `store`), and one for subscriptions (inside `feed`).
 *
 *     unstarted ──start()──▶ started ──close()──▶ unstarted
 *
 * `start` that rejects leaves it unstarted. Each start makes new parts, see {@link createParts}.
 */
class RedisBroker implements Broker {
  readonly #settings: RedisBrokerSettings;
  #parts: Parts | undefined;

  constructor(settings: RedisBrokerSettings) {
    this.#settings = settings;
  }

  async start(sink: Sink): Promise<LogHead> {
    if (this.#parts !== undefined)
      throw new TidingsError('broker', 'this broker belongs to another hub: make one for each');
    const parts = createParts(this.#settings, sink);
    this.#parts = parts;
    try {
      await checkEvictionPolicy(await parts.connection.ready(this.#deadline()));
      const { head } = await parts.store.read({}, this.#deadline());
      return { head: await parts.feed.start(head), epoch: parts.store.epoch };
    } catch (error) {
      await this.close();
      throw toBrokerError(error);
    }
  }

  publish(drafts: readonly Draft[], deadline: AbortSignal): Promise<Published> {
    return this.#use(({ publisher }) => publisher.publish(drafts, deadline));
  }

  open(wants: ReadonlyMap<string, Reach>): Promise<Opened> {
    return this.#use(({ feed }) => feed.open(wants));
  }

  shut(channels: readonly string[]): void {
    this.#parts?.feed.release(channels);
  }

  read(channel: string, after: Position, until: Position): Promise<Page> {
    return this.#use(async ({ store }) => {
      const { pages } = await store.read({ wants: [[channel, after]], until }, this.#deadline());
      return pages.get(channel) as Page;
    });
  }

  head(): Promise<LogHead> {
    return this.#use(async ({ store }) => {
      const { epoch, head } = await store.read({}, this.#deadline());
      return { epoch, head };
    });
  }

  tell(text: string): Promise<void> {
    return this.#use(async ({ connection, names, store }) => {
      const current = await connection.ready(this.#deadline());
      await current.call([store.isSharded ? 'SPUBLISH' : 'PUBLISH', names.notices, `note ${text}`]);
    });
  }

  async close(): Promise<void> {
    this.#parts?.feed.close();
    this.#parts?.connection.close();
    this.#parts = undefined;
  }

  async #use<T>(use: (parts: Parts) => Promise<T>): Promise<T> {
    if (this.#parts === undefined) throw new TidingsError('closed', 'the broker has not begun, or is closed');
    try {
      return await use(this.#parts);
    } catch (error) {
      throw toBrokerError(error);
    }
  }

  #deadline(): AbortSignal {
    return AbortSignal.timeout(this.#settings.timeout);
  }
}

type Parts = ReturnType<typeof createParts>;

/** The parts of a started broker, wired together. */
function createParts(settings: RedisBrokerSettings, sink: Sink) {
  const { source, prefix, timeout, probeInterval, shardedPubSub } = settings;
  // New at each start: batch numbers begin again at 1, and Redis remembers those of the name before.
  const process = randomBytes(9).toString('base64url');
  const names = new Names(prefix, process);
  const dialer = new Dialer(source, timeout);
  const connection: ReconnectingConnection = new ReconnectingConnection(dialer, {
    onMessage() {},
    async prepare(connection) {
      const { isCluster } = await readServerInfo(connection);
      if (isCluster && shardedPubSub === false) {
        throw new TidingsError(
          'broker',
          'a Redis Cluster needs shardedPubSub: leave it out, or set it to true',
        );
      }
      store.isSharded = shardedPubSub ?? isCluster;
      await store.greet(connection);
    },
    onLost() {},
  });
  const caller = new ScriptCaller(connection, names.hub, error => {
    dialer.redirect(error);
    // Whether the subscription is with the right server shows in the next reply: see `server` below.
    connection.reconnect(error);
  });
  const store: Store = new Store(caller, names, process, {
    restarted(epoch, head) {
      feed.restart(head);
      sink.epoch(epoch, head);
    },
    broken: (after, before) => sink.broken(after, before),
    server: runId => feed.checkServer(runId),
  });
  const feed = new LiveFeed({ dialer, store, names, sink, timeout, probeInterval });
  return { connection, names, store, feed, publisher: new Publisher(store) };
}
