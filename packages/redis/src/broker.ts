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
import { asBrokerError } from './call-failed.ts';
import { Dialer } from './dialer.ts';
import { Link } from './link.ts';
import { createNames, type Names } from './names.ts';
import { type RedisBrokerOptions, type RedisBrokerSettings, readOptions } from './options.ts';
import { Publisher } from './publisher.ts';
import { checkPolicy, readServer } from './server.ts';
import { Store } from './store.ts';
import { Subscription } from './subscription.ts';

/**
 * Keeps a hub's log in Redis, for hubs on any number of nodes. Does nothing until the hub begins.
 *
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function redisBroker(options: RedisBrokerOptions): Broker {
  return new RedisBroker(readOptions(options));
}

/** What there is between `start` and `close`. */
interface Session {
  names: Names;
  link: Link;
  store: Store;
  publisher: Publisher;
  subscription: Subscription;
}

class RedisBroker implements Broker {
  readonly #settings: RedisBrokerSettings;
  #session: Session | undefined;

  constructor(settings: RedisBrokerSettings) {
    this.#settings = settings;
  }

  async start(sink: Sink): Promise<LogHead> {
    if (this.#session !== undefined)
      throw new TidingsError('broker', 'this broker belongs to another hub: make one for each');
    const session = this.#connect(sink);
    this.#session = session;
    try {
      await checkPolicy(await session.link.ready(this.#soon()));
      const { head } = await session.store.read({}, this.#soon());
      return { head: await session.subscription.start(head), epoch: session.store.epoch };
    } catch (error) {
      await this.close();
      throw asBrokerError(error);
    }
  }

  publish(drafts: readonly Draft[], deadline: AbortSignal): Promise<Published> {
    return this.#use(({ publisher }) => publisher.publish(drafts, deadline));
  }

  open(wants: ReadonlyMap<string, Reach>): Promise<Opened> {
    return this.#use(({ subscription }) => subscription.open(wants));
  }

  shut(channels: readonly string[]): void {
    this.#session?.subscription.shut(channels);
  }

  read(channel: string, after: Position, until: Position): Promise<Page> {
    return this.#use(async ({ store }) => {
      const { pages } = await store.read({ wants: [[channel, after]], until }, this.#soon());
      return pages.get(channel) as Page;
    });
  }

  head(): Promise<LogHead> {
    return this.#use(async ({ store }) => {
      const { epoch, head } = await store.read({}, this.#soon());
      return { epoch, head };
    });
  }

  tell(text: string): Promise<void> {
    return this.#use(async ({ link, names, store }) => {
      const connection = await link.ready(this.#soon());
      await connection.call([store.sharded ? 'SPUBLISH' : 'PUBLISH', names.notes, `note ${text}`]);
    });
  }

  async close(): Promise<void> {
    this.#session?.subscription.close();
    this.#session?.link.close();
    this.#session = undefined;
  }

  #connect(sink: Sink): Session {
    const { source, prefix, timeout, probeInterval, shardedPubSub } = this.#settings;
    // Another one each time: the numbers of batches begin again, and Redis knows those of before.
    const node = randomBytes(9).toString('base64url');
    const names = createNames(prefix, node);
    const dialer = new Dialer(source, timeout);
    const link: Link = new Link(dialer, {
      message: () => {},
      prepare: async connection => {
        const { isCluster } = await readServer(connection);
        if (isCluster && shardedPubSub === false) {
          throw new TidingsError(
            'broker',
            'a Redis Cluster needs shardedPubSub: leave it out, or set it to true',
          );
        }
        store.sharded = shardedPubSub ?? isCluster;
        await store.greet(connection);
      },
      down: () => {},
    });
    const store: Store = new Store(link, names, node, {
      epoch: (epoch, head) => {
        subscription.reset(head);
        sink.epoch(epoch, head);
      },
      broken: (after, before) => sink.broken(after, before),
      server: run => subscription.checkServer(run),
      elsewhere: error => {
        dialer.redirect(error);
        // Whether the subscription is with the right one shows with the next answer.
        link.drop(error);
      },
    });
    const subscription = new Subscription(dialer, store, names, sink, timeout, probeInterval);
    return { link, names, store, subscription, publisher: new Publisher(store) };
  }

  async #use<T>(use: (session: Session) => Promise<T>): Promise<T> {
    if (this.#session === undefined)
      throw new TidingsError('closed', 'the broker has not begun, or is closed');
    try {
      return await use(this.#session);
    } catch (error) {
      throw asBrokerError(error);
    }
  }

  #soon(): AbortSignal {
    return AbortSignal.timeout(this.#settings.timeout);
  }
}
