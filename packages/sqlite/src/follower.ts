import { ChangeWatcher } from './change-watcher.ts';
import type { Store } from './file/store.ts';
import type { LiveFeed } from './live-feed.ts';
import type { Appended } from './log/append.ts';

/** Passes the entries that this and other processes append to the live feed. */
export class Follower {
  readonly #store: Store;
  readonly #feed: LiveFeed;
  readonly #file: string;
  #watcher: ChangeWatcher | undefined;
  /** The feed has not read all entries, because that failed, or takes more than one iteration of the event loop. */
  #isBehind = false;
  #isClosed = false;

  constructor(store: Store, feed: LiveFeed, file: string) {
    this.#store = store;
    this.#feed = feed;
    this.#file = file;
  }

  begin(): void {
    this.#watcher = new ChangeWatcher(this.#file, () => this.#check());
  }

  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
  }

  /** Delivers appended entries. Never throws: the entries are stored, and are delivered later if it fails now. */
  deliver(appended: Appended): void {
    if (!this.#isBehind && this.#feed.appended(appended)) return;
    this.catchUp();
  }

  /** Checks whether another process has changed or replaced the file. */
  #check(): boolean {
    if (this.#isClosed) return false;
    const hasChanged = this.#hasChanged();
    if (hasChanged || this.#isBehind) this.catchUp();
    return hasChanged;
  }

  #hasChanged(): boolean {
    try {
      // If the file could not be used, `peek` returns undefined. `catchUp` then opens the file again.
      return this.#store.peek(connection => connection.hasForeignChange() || connection.isReplaced) ?? true;
    } catch {
      return true;
    }
  }

  /** Passes the new entries to the sink, unless the feed is held. */
  catchUp(): void {
    if (this.#isClosed) return;
    this.#isBehind = true;
    if (this.#feed.isHeld) return;
    try {
      this.#isBehind = !this.#feed.catchUp();
    } catch {
      // The store has reported the error, unless the file is locked. The next check of the file tries again.
      return;
    }
    if (this.#isBehind) setImmediate(() => this.catchUp());
  }
}
