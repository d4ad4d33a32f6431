import { setImmediate as nextIteration } from 'node:timers/promises';
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
import { toBrokerError, toPublishError } from './errors.ts';
import { type Driver, loadDriver } from './file/driver.ts';
import { retryWhileBusy } from './file/retry.ts';
import { Store } from './file/store.ts';
import { Follower } from './follower.ts';
import { changeLease, type LeaseResult } from './leases.ts';
import { LiveFeed } from './live-feed.ts';
import { append } from './log/append.ts';
import { findChannel } from './log/channels.ts';
import { readPage } from './log/pages.ts';
import { Maintenance } from './maintenance.ts';
import { openChannels } from './opening.ts';
import { readOptions, type SqliteBrokerOptions, type SqliteBrokerSettings } from './options.ts';

/** ms for which a call other than `publish` waits for a lock. */
const TIMEOUT = 5_000;

/** Maximum number of lease keys that one transaction changes. */
const LEASE_KEYS = 250;

/** Limits on one page of `read`. */
const PAGE = { entries: 2_000, bytes: 1024 * 1024 };

/**
 * Stores a hub's log in one SQLite file, for a hub in one process, or in several processes of one machine. Opens
 * nothing before the hub starts it.
 *
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function sqliteBroker(options: SqliteBrokerOptions): Broker {
  return new SqliteBroker(readOptions(options));
}

/**
 *     unstarted ──start()──▶ started ──close()──▶ unstarted
 *
 * If `start` rejects, the broker stays unstarted. Each start creates new parts, see {@link createParts}.
 */
class SqliteBroker implements Broker {
  readonly #settings: SqliteBrokerSettings;
  #parts: Parts | undefined;
  #isStarting = false;
  /** A batch was stored in this iteration of the event loop. */
  #hasPublished = false;

  constructor(settings: SqliteBrokerSettings) {
    this.#settings = settings;
  }

  async start(sink: Sink): Promise<LogHead> {
    if (this.#parts !== undefined || this.#isStarting)
      throw new TidingsError(
        'broker',
        'this broker already belongs to a hub: create one broker for each hub',
      );
    this.#isStarting = true;
    try {
      const driver = await loadDriver(this.#settings.source);
      const parts = createParts(driver, this.#settings, sink);
      try {
        const started = await retryWhileBusy(() => parts.store.start(), AbortSignal.timeout(TIMEOUT));
        parts.begin(started.head);
        this.#parts = parts;
        return started;
      } catch (error) {
        parts.close();
        throw error;
      }
    } catch (error) {
      throw toBrokerError(error);
    } finally {
      this.#isStarting = false;
    }
  }

  async publish(drafts: readonly Draft[], deadline: AbortSignal): Promise<Published> {
    // One batch in each iteration of the event loop: a full queue must not block it until the queue is empty. The hub
    // may also publish while the sink processes entries, which must be delivered first.
    await (this.#hasPublished ? nextIteration() : undefined);
    this.#hasPublished = true;
    setImmediate(() => {
      this.#hasPublished = false;
    });
    const { store, follower } = this.#started();
    const { maxBytes } = this.#settings;
    try {
      const appended = await retryWhileBusy(
        () => store.write((connection, hub) => append(connection, hub, drafts, maxBytes)),
        deadline,
      );
      const { epoch } = store;
      follower.deliver(appended);
      return { epoch, results: appended.results };
    } catch (error) {
      throw toPublishError(error);
    }
  }

  open(wants: ReadonlyMap<string, ReadFrom>): Promise<Opened> {
    return this.#call((parts, deadline) => {
      return openChannels(parts, wants, deadline).finally(() => parts.follower.catchUp());
    });
  }

  release(channels: readonly string[]): void {
    this.#parts?.feed.release(channels);
  }

  read(name: string, from: Position, until: Position): Promise<Page> {
    return this.#call(({ store }, deadline) =>
      retryWhileBusy(
        () => store.read((connection, hub) => readPage(connection, hub, { name, from, until }, { ...PAGE })),
        deadline,
      ),
    );
  }

  head(): Promise<LogHead> {
    return this.#call(({ store }, deadline) =>
      retryWhileBusy(() => store.read((_, { epoch, head }) => ({ epoch, head })), deadline),
    );
  }

  state(channel: string): Promise<ChannelState> {
    return this.#call(async ({ store }, deadline) => {
      const row = await retryWhileBusy(
        () => store.read(connection => findChannel(connection, channel)),
        deadline,
      );
      if (row === undefined) return { state: 'unknown', last: 0 };
      return { state: row.ended === null ? 'open' : 'ended', last: row.last };
    });
  }

  async lease(set: string, change: LeaseChange): Promise<LeaseResult> {
    const { hold, release } = change;
    const came = new Set<string>();
    const left = new Set<string>();
    // The event loop can run between two parts. The last key is in one part only.
    for (let start = 0; start === 0 || start < hold.length + release.length; start += LEASE_KEYS) {
      const end = start + LEASE_KEYS;
      const part = {
        ...change,
        release: release.slice(start, end),
        hold: hold.slice(Math.max(0, start - release.length), Math.max(0, end - release.length)),
      };
      const result = await this.#call(({ store }, deadline) =>
        retryWhileBusy(() => store.write(connection => changeLease(connection, set, part)), deadline),
      );
      for (const key of result.left) if (!came.delete(key)) left.add(key);
      for (const key of result.came) if (!left.delete(key)) came.add(key);
    }
    return { came: [...came], left: [...left] };
  }

  async close(): Promise<void> {
    this.#parts?.close();
    this.#parts = undefined;
  }

  #started(): Parts {
    if (this.#parts === undefined)
      throw new TidingsError('closed', 'the broker was not started, or is closed');
    return this.#parts;
  }

  async #call<T>(call: (parts: Parts, deadline: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await call(this.#started(), AbortSignal.timeout(TIMEOUT));
    } catch (error) {
      throw toBrokerError(error);
    }
  }
}

type Parts = ReturnType<typeof createParts>;

/** Creates the parts of a broker, and connects them. */
function createParts(driver: Driver, { synchronous }: SqliteBrokerSettings, sink: Sink) {
  const store: Store = new Store(driver, synchronous, {
    restarted(epoch, head) {
      feed.restart(head);
      sink.restarted(epoch, head);
    },
    broken: (after, before) => sink.broken(after, before),
    connection: (isConnected, cause) => sink.connection(isConnected, cause),
  });
  const feed = new LiveFeed(store, sink);
  const follower = new Follower(store, feed, driver.file);
  let maintenance: Maintenance | undefined;
  return {
    store,
    feed,
    follower,
    begin(head: Position) {
      feed.restart(head);
      follower.begin();
      maintenance = new Maintenance(store, feed);
    },
    close() {
      maintenance?.close();
      follower.close();
      store.close();
    },
  };
}
