import { clearTimeout, setTimeout } from 'node:timers';

/** Maximum ms of a timer. */
const MAX_TIMER = 2 ** 31 - 1;

/** Waits for conditions, each for at most a timeout. */
export class Waits {
  readonly #timeout: number;
  readonly #checks = new Set<() => void>();

  /** @param timeout ms. */
  constructor(timeout: number) {
    this.#timeout = Math.min(timeout, MAX_TIMER);
  }

  /** The timeout, for an error message. */
  get limit(): string {
    return `${this.#timeout / 1000} s`;
  }

  /** Runs an action after the timeout. Returns a function that cancels it. */
  onTimeout(action: () => void): () => void {
    const timer = setTimeout(action, this.#timeout);
    return () => clearTimeout(timer);
  }

  /** Resolves when a condition is true, or after the timeout. Rejects with the error of the condition. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        cancelTimeout();
        this.#checks.delete(check);
      };
      // Catches errors of the test's condition, because `check` is called where bytes arrive.
      const check = () => {
        try {
          if (!condition()) return;
          resolve();
        } catch (error) {
          reject(error);
        }
        stop();
      };
      const cancelTimeout = this.onTimeout(() => {
        stop();
        resolve();
      });
      this.#checks.add(check);
      check();
    });
  }

  /** Checks all conditions. Called when something has arrived. */
  check(): void {
    for (const check of this.#checks) check();
  }
}

/** Runs concurrent calls one after the other, in their order. */
export class CallSequence {
  #last: Promise<void> = Promise.resolve();

  /** Runs a call when all earlier calls have settled. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const before = this.#last;
    let done = () => {};
    this.#last = new Promise(resolve => {
      done = resolve;
    });
    await before;
    try {
      // Awaited, so that the stack of an error contains the caller.
      return await call();
    } finally {
      done();
    }
  }
}
