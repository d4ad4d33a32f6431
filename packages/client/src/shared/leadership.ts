/** The part of the Web Locks API that is used. */
interface Locks {
  request(
    name: string,
    options: { signal?: AbortSignal; steal?: boolean },
    callback: () => Promise<void>,
  ): Promise<unknown>;
  query(): Promise<{ pending?: { name?: string }[] }>;
}

/** A lock that one tab has at a time. The browser releases it when the tab is gone. */
export class Leadership {
  readonly #locks = (globalThis as unknown as { navigator: { locks: Locks } }).navigator.locks;
  readonly #name: string;
  readonly #onWon: () => void;
  readonly #onLost: () => void;
  /** Ends the request that is pending, or that holds the lock. */
  #end: (() => void) | undefined;

  /** @param onLost another tab has taken the lock, because it has not heard of this one. */
  constructor(name: string, onWon: () => void, onLost: () => void) {
    this.#name = name;
    this.#onWon = onWon;
    this.#onLost = onLost;
  }

  /** Waits for the lock; or takes it from a tab that is dead, as far as can be seen from here. */
  seek(steal = false): void {
    this.release();
    const controller = new AbortController();
    const { signal } = controller;
    let release = () => controller.abort();
    this.#end = () => release();
    const hold = () =>
      new Promise<void>(resolve => {
        if (signal.aborted) return resolve();
        release = () => {
          controller.abort();
          resolve();
        };
        this.#onWon();
      });
    this.#locks.request(this.#name, steal ? { steal } : { signal }, hold).catch(() => {
      if (!signal.aborted) this.#onLost();
    });
  }

  release(): void {
    this.#end?.();
    this.#end = undefined;
  }

  /** How many other tabs wait for the lock. */
  async rivals(): Promise<number> {
    const { pending = [] } = await this.#locks.query();
    return pending.filter(({ name }) => name === this.#name).length;
  }
}
