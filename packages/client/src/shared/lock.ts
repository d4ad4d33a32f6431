/** The part of the Web Locks API that is used. */
interface Locks {
  request(
    name: string,
    options: { signal?: AbortSignal; steal?: boolean },
    callback: () => Promise<unknown>,
  ): Promise<unknown>;
  query(): Promise<{ pending?: { name?: string }[] }>;
}

const { locks } = (globalThis as unknown as { navigator: { locks: Locks } }).navigator;

/** A lock that one tab has at a time. The browser releases it when the tab is closed. */
export class Lock {
  readonly #name: string;
  readonly #onWon: () => void;
  readonly #onLost: () => void;
  /** Aborts the pending request, or releases the lock. */
  #controller: AbortController | undefined;

  /** @param onLost called when another tab has stolen the lock, because it received no messages of this one. */
  constructor(name: string, onWon: () => void, onLost: () => void) {
    this.#name = name;
    this.#onWon = onWon;
    this.#onLost = onLost;
  }

  /** Requests the lock. @param steal whether to steal it from a tab that seems to be dead. */
  seek(steal?: boolean): void {
    this.release();
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    const hold = () =>
      new Promise<unknown>(resolve => {
        signal.addEventListener('abort', resolve);
        if (signal.aborted) resolve(0);
        else this.#onWon();
      });
    locks
      .request(this.#name, steal ? { steal } : { signal }, hold)
      .catch(() => signal.aborted || this.#onLost());
  }

  release(): void {
    this.#controller?.abort();
  }

  /** Resolves with the number of tabs that wait for the lock. */
  async rivals(): Promise<number> {
    const { pending = [] } = await locks.query();
    return pending.filter(({ name }) => name === this.#name).length;
  }
}
