import { CallFailed } from './call-failed.ts';
import type { Store } from './store.ts';

/** Epochs to remember. */
const MAX = 100;

/** Finds out what an epoch is that is not ours: what comes over Pub/Sub is never believed by itself. */
export class EpochCheck {
  readonly #store: Store;
  readonly #timeout: number;
  /** Epochs that have turned out not to be ours: of another database that uses the same prefix, or of before. */
  readonly #strangers = new Set<string>();
  #isLooking = false;

  constructor(store: Store, timeout: number) {
    this.#store = store;
    this.#timeout = timeout;
  }

  /** Asks Redis which epoch it is; the store makes known if it is a new one. */
  async look(epoch: string): Promise<void> {
    if (this.#isLooking || this.#strangers.has(epoch)) return;
    this.#isLooking = true;
    try {
      await this.#store.read({}, AbortSignal.timeout(this.#timeout));
      if (this.#strangers.size >= MAX) this.#strangers.clear();
      // '' is no epoch.
      if (epoch !== '' && epoch !== this.#store.epoch) this.#strangers.add(epoch);
    } catch (error) {
      // The next call on a new connection tells as much.
      if (!(error instanceof CallFailed)) throw error;
    } finally {
      this.#isLooking = false;
    }
  }
}
