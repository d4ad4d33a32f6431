import type { SqlValue } from './file/driver.ts';
import { COMPACTED_RETENTION, EXPIRY_DELAY } from './file/schema.ts';
import type { Store } from './file/store.ts';
import type { LiveFeed } from './live-feed.ts';
import { encodeText } from './log/format.ts';
import { deleteExpired } from './log/retention.ts';

/** ms between two rounds. */
const INTERVAL = 30_000;

/** Maximum number of channels that one round checks. */
const CHANNELS = 200;
/** Number of pages that one step returns to the file system. */
const PAGES = 128;

/** Free pages that stay in the file, because new entries will use them. */
const MIN_FREE_PAGES = 256;

/** ms by which `due` of a channel in use may be too early, so that it is not updated in every round. */
const SLACK = 24 * 60 * 60_000;

/** Work that does not depend on publishes: deletes expired channels, and shrinks the file. */
export class Maintenance {
  readonly #store: Store;
  readonly #feed: LiveFeed;
  readonly #timer: NodeJS.Timeout;
  /** Open channels that the current pass has not checked yet. */
  #channels: string[] = [];
  #isClosed = false;

  constructor(store: Store, feed: LiveFeed) {
    this.#store = store;
    this.#feed = feed;
    this.#timer = setInterval(() => this.run().catch(() => {}), INTERVAL * (0.75 + Math.random() / 2));
    this.#timer.unref();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  /** Runs one round. Rejects if the file cannot be used or is locked. The next round tries again. */
  async run(): Promise<void> {
    this.#keepOpenChannels();
    const isDue = 'SELECT 1 FROM tidings_channels WHERE due <= ? LIMIT 1';
    while (this.#is(isDue, Date.now())) {
      this.#store.write((connection, hub) => deleteExpired(connection, hub, Date.now()));
      await new Promise(setImmediate);
    }
    while (this.#hasFreePages()) {
      this.#store.peek(connection => connection.exec(`PRAGMA incremental_vacuum(${PAGES})`));
      await new Promise(setImmediate);
    }
  }

  /** Renews `due` of compacted channels that are open, because their state is in use. */
  #keepOpenChannels(): void {
    if (this.#channels.length === 0) this.#channels = [...this.#feed.openChannels];
    const due = Date.now() + COMPACTED_RETENTION + EXPIRY_DELAY;
    const isShort = 'SELECT 1 FROM tidings_channels WHERE name = ? AND compact = 1 AND due < ?';
    const names = this.#channels.splice(0, CHANNELS).map(encodeText);
    const short = names.filter(name => this.#is(isShort, name, due - SLACK));
    if (short.length === 0) return;
    this.#store.write(connection => {
      for (const name of short)
        connection.run('UPDATE tidings_channels SET due = ? WHERE name = ?', due, name);
    });
  }

  #is(sql: string, ...parameters: SqlValue[]): boolean {
    if (this.#isClosed) return false;
    return this.#store.read(connection => connection.get(sql, ...parameters) !== undefined);
  }

  #hasFreePages(): boolean {
    if (this.#isClosed) return false;
    return this.#store.read(connection => {
      const number = (name: string) =>
        Object.values(connection.get<Record<string, number>>(`PRAGMA ${name}`) ?? {})[0] ?? 0;
      const free = number('freelist_count');
      // Other files than those created by this package may have no `auto_vacuum`, and cannot shrink.
      return number('auto_vacuum') === 2 && free > Math.max(MIN_FREE_PAGES, number('page_count') / 4);
    });
  }
}
