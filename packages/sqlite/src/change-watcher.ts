import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** ms between two checks of the file: while other processes write to it, and while they do not. */
const MIN_INTERVAL = 10;
const MAX_INTERVAL = 250;

/**
 * Detects that another process has written to the file.
 *
 * It watches the folder, because SQLite replaces its write-ahead log. Not every file system reports changes, and the
 * operating system may drop some. So it also checks the file at intervals, which double as long as nothing has changed.
 */
export class ChangeWatcher {
  readonly #check: () => boolean;
  readonly #name: string;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #interval = MIN_INTERVAL;
  #isDue = false;
  #isClosed = false;

  /** @param check returns whether another process has changed the file. */
  constructor(file: string, check: () => boolean) {
    this.#check = check;
    this.#name = basename(file);
    try {
      this.#watcher = watch(dirname(file), { persistent: false }, (_, name) => {
        if (name === null || name.startsWith(this.#name)) this.#schedule();
      });
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // Too many watchers, or a file system that does not support them. The checks at intervals remain.
    }
    this.#startTimer();
  }

  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
    clearTimeout(this.#timer);
  }

  /** Checks once for many reports: each commit causes several, also a commit of this process. */
  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (this.#isClosed || !this.#check()) return;
      this.#interval = MIN_INTERVAL;
      clearTimeout(this.#timer);
      this.#startTimer();
    });
  }

  #startTimer(): void {
    this.#timer = setTimeout(() => {
      const hasChanged = this.#check();
      this.#interval = hasChanged ? MIN_INTERVAL : Math.min(this.#interval * 2, MAX_INTERVAL);
      if (!this.#isClosed) this.#startTimer();
    }, this.#interval);
    this.#timer.unref();
  }
}
