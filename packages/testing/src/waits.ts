import { clearTimeout, setTimeout } from 'node:timers';

/** The longest time a timer can be set for. */
const LONGEST = 2 ** 31 - 1;

/** Those who wait for something to come, each no longer than a time. */
export class Waits {
  readonly #timeout: number;
  readonly #checks = new Set<() => void>();

  /** @param timeout ms. */
  constructor(timeout: number) {
    this.#timeout = Math.min(timeout, LONGEST);
  }

  /** The time, for an error. */
  get limit(): string {
    return `${this.#timeout / 1000} s`;
  }

  /** Calls back when the time is up; what it returns calls that off. */
  late(action: () => void): () => void {
    const timer = setTimeout(action, this.#timeout);
    return () => clearTimeout(timer);
  }

  /** Resolves when a condition holds, or the time is up. Rejects with what the condition throws. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        callOff();
        this.#checks.delete(check);
      };
      // Called where bytes arrive: an error of the test's own condition must not get there.
      const check = () => {
        try {
          if (!condition()) return;
          resolve();
        } catch (error) {
          reject(error);
        }
        stop();
      };
      const callOff = this.late(() => {
        stop();
        resolve();
      });
      this.#checks.add(check);
      check();
    });
  }

  /** Something has come: conditions may hold. */
  look(): void {
    for (const check of this.#checks) check();
  }
}

/** Concurrent calls for the next of something, one after the other, in the order of the calls. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Calls back when all earlier calls have settled. */
  async take<T>(next: () => Promise<T>): Promise<T> {
    const before = this.#last;
    let done = () => {};
    this.#last = new Promise(resolve => {
      done = resolve;
    });
    await before;
    try {
      // Awaited, so that an error has the caller in its stack.
      return await next();
    } finally {
      done();
    }
  }
}
