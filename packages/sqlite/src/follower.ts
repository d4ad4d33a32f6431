import { ChangeWatcher } from './change-watcher.ts';
import type { Store } from './file/store.ts';
import type { LiveFeed } from './live-feed.ts';
import type { Appended } from './log/append.ts';

/** Keeps the live feed up to date with what this process and others append. */
export class Follower {
  readonly #store: Store;
  readonly #feed: LiveFeed;
  readonly #file: string;
  #watcher: ChangeWatcher | undefined;
  /** The feed has not read everything, because that failed, or is too much for one turn. */
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

  /** Never throws: what is appended is stored, and if it cannot be delivered now, it is later. */
  deliver(appended: Appended): void {
    if (!this.#isBehind && this.#feed.appended(appended)) return;
    this.catchUp();
  }

  /** Looks whether another process has changed the file, or replaced it. */
  #check(): boolean {
    if (this.#isClosed) return false;
    const hasChanged = this.#hasChanged();
    if (hasChanged || this.#isBehind) this.catchUp();
    return hasChanged;
  }

  #hasChanged(): boolean {
    try {
      // Undefined: the file could not be used. The next call opens it again.
      return this.#store.peek(connection => connection.hasForeignChange() || connection.isReplaced) ?? true;
    } catch {
      return true;
    }
  }

  /** Gives the sink what is new, as far as the feed is not held. */
  catchUp(): void {
    if (this.#isClosed) return;
    this.#isBehind = true;
    if (this.#feed.isHeld) return;
    try {
      this.#isBehind = !this.#feed.catchUp();
    } catch {
      // The store has reported it, unless the file is locked. The next look at the file tries again.
      return;
    }
    if (this.#isBehind) setImmediate(() => this.catchUp());
  }
}
