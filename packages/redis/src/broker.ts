import { randomBytes } from 'node:crypto';
import {
  type Broker,
  type ChannelState,
  type Draft,
  type LeaseChange,
  type LogHead,
  type Opened,
  type Page,
  type Position,
  type Published,
  type ReadFrom,
  type Sink,
  TidingsError,
} from '@tidings/core';
import { Dialer } from './connection/dialer.ts';
import { movedTo } from './connection/library.ts';
import { ReconnectingConnection } from './connection/reconnecting-connection.ts';
import { findEvictionRisk, readServerInfo } from './connection/server.ts';
import { toBrokerError } from './errors.ts';
import { Names } from './format.ts';
import { Leases } from './leases.ts';
import { LiveFeed } from './live-feed.ts';
import { type RedisBrokerOptions, type RedisBrokerSettings, readOptions } from './options.ts';
import { Publisher } from './publisher.ts';
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
 * Has two connections: one for calls (`connection`, used by `store`), and one for subscriptions (inside `feed`).
 *
 *     unstarted ──start()──▶ started ──close()──▶ unstarted
 *
 * If `start` rejects, the broker stays unstarted. Each start creates new parts, see {@link createParts}.
 */
class RedisBroker implements Broker {
  readonly #settings: RedisBrokerSettings;
  #parts: Parts | undefined;
  /** The messages of reported errors. Each is reported once. */
  readonly #reported = new Set<string>();

  constructor(settings: RedisBrokerSettings) {
    this.#settings = settings;
  }

  async start(sink: Sink): Promise<LogHead> {
    if (this.#parts !== undefined)
      throw new TidingsError(
        'broker',
        'this broker already belongs to a hub: create one broker for each hub',
      );
    const parts = createParts(this.#settings, sink, error => this.#report(sink, error));
    this.#parts = parts;
    try {
      await parts.connection.ready(this.#deadline());
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

  open(wants: ReadonlyMap<string, ReadFrom>): Promise<Opened> {
    return this.#use(({ feed }) => feed.open(wants));
  }

  release(channels: readonly string[]): void {
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

  state(channel: string): Promise<ChannelState> {
    return this.#use(async ({ store }) => {
      const { last, endedAt } = await store.state(channel, this.#deadline());
      if (last === undefined) return { state: 'unknown', last: 0 };
      return { state: endedAt === undefined ? 'open' : 'ended', last };
    });
  }

  lease(set: string, change: LeaseChange): Promise<{ came: string[]; left: string[] }> {
    return this.#use(({ leases }) => leases.change(set, change, this.#deadline()));
  }

  async close(): Promise<void> {
    this.#parts?.close();
    this.#parts = undefined;
  }

  #report(sink: Sink, error: TidingsError): void {
    if (this.#reported.has(error.message)) return;
    this.#reported.add(error.message);
    sink.report(error);
  }

  async #use<T>(use: (parts: Parts) => Promise<T>): Promise<T> {
    if (this.#parts === undefined)
      throw new TidingsError('closed', 'the broker was not started, or is closed');
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

/** Creates the parts of a started broker, and connects them. */
function createParts(settings: RedisBrokerSettings, sink: Sink, report: (error: TidingsError) => void) {
  const { findServers, prefix, timeout, probeInterval, shardedPubSub } = settings;
  // A new name at each start: batch numbers begin again at 1, and Redis stores the last batch number of each name.
  const process = randomBytes(9).toString('base64url');
  const names = new Names(prefix, process);
  const dialer = new Dialer(findServers, timeout);
  const onConnection = bothConnected((isConnected, cause) => sink.connection(isConnected, cause));
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
      // Checked for each connection: the policy or the server may have changed.
      const risk = await findEvictionRisk(connection);
      if (risk !== undefined) report(risk);
    },
    onReady: () => onConnection('calls', true),
    onLost: cause => onConnection('calls', false, cause),
    onFailed: onConnection.failed,
    onMisconfigured: report,
  });
  const caller = new ScriptCaller({
    connection,
    key: names.hub,
    onWrongServer(error) {
      dialer.redirect(error);
      // The next reply reveals whether the subscription is connected to the right server: see `server` below.
      connection.reconnect(error);
    },
    onMisconfigured: report,
  });
  const store: Store = new Store(caller, names, process, {
    restarted(epoch, head) {
      feed.restart(head);
      sink.restarted(epoch, head);
    },
    broken: (after, before) => sink.broken(after, before),
    server: id => feed.checkServer(id),
  });
  const feed = new LiveFeed({
    dialer,
    store,
    names,
    sink,
    timeout,
    probeInterval,
    onConnection: (isConnected, cause) => onConnection('feed', isConnected, cause),
    onFailed: onConnection.failed,
    onMisconfigured: report,
  });
  return {
    connection,
    store,
    feed,
    publisher: new Publisher(store),
    leases: new Leases(caller),
    close() {
      onConnection.stop();
      feed.close();
      connection.close();
    },
  };
}

/**
 * Reports when both connections are established, and when one of them is lost. Before both were established for the
 * first time, it reports why each attempt has failed. Calls of a hub that waits for its broker reject with this cause.
 */
function bothConnected(report: (isConnected: boolean, cause?: unknown) => void) {
  const connected = new Set<'calls' | 'feed'>();
  let hasBegun = false;
  let isStopped = false;
  return Object.assign(
    (which: 'calls' | 'feed', isConnected: boolean, cause?: unknown) => {
      const before = connected.size;
      if (isConnected) connected.add(which);
      else connected.delete(which);
      if (isStopped || (connected.size === 2) === (before === 2)) return;
      hasBegun = true;
      report(isConnected, cause);
    },
    {
      failed(cause: unknown) {
        // A redirection of a cluster is not a failure: the next attempt goes to the right server.
        if (!hasBegun && !isStopped && movedTo(cause) === undefined) report(false, cause);
      },
      stop() {
        isStopped = true;
      },
    },
  );
}
