import type { PositionStorage } from './options.ts';
import { report } from './report.ts';

/** Saves the position in the storage that was passed, if any. */
export class PositionStore {
  readonly #storage: PositionStorage | undefined;
  readonly #key: string;
  #saved = '';

  constructor(storage: PositionStorage | undefined, key: string) {
    this.#storage = storage;
    this.#key = key;
  }

  /** Returns the saved position. If the storage fails, reports the error and returns ''. */
  async load(): Promise<string> {
    const storage = this.#storage;
    try {
      if (storage)
        this.#saved =
          (await ('getItem' in storage ? storage.getItem(this.#key) : storage.get(this.#key))) ?? '';
    } catch (error) {
      report(error);
    }
    return this.#saved;
  }

  save(id: string): void {
    if (!this.#storage || id === this.#saved) return;
    this.#saved = id;
    this.#write(this.#storage, id).catch(report);
  }

  async #write(storage: PositionStorage, id: string): Promise<void> {
    if ('setItem' in storage) storage.setItem(this.#key, id);
    else await storage.set(this.#key, id);
  }
}
