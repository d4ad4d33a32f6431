import { clearTimeout, setTimeout } from 'node:timers';

/** The longest time a timer can be set for. */
const LONGEST = 2 ** 31 - 1;

/** Those who wait for something to come, each no longer than a time. */
export class Waits {
  readonly #timeout: number;
  readonly #checks = new Set<() => void>();
  #lastTurn: Promise<void> = Promise.resolve();

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

  /** Resolves when a condition holds, or the time is up. */
  until(condition: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const settle = () => {
        callOff();
        this.#checks.delete(check);
        resolve();
      };
      const check = () => {
        if (condition()) settle();
      };
      const callOff = this.late(settle);
      this.#checks.add(check);
      check();
    });
  }

  /** Something has come: conditions may hold. */
  look(): void {
    for (const check of this.#checks) check();
  }

  /** Those who want the next of something at the same time get one each, in the order in which they asked. */
  async turn(): Promise<() => void> {
    const before = this.#lastTurn;
    let done = () => {};
    this.#lastTurn = new Promise(resolve => {
      done = resolve;
    });
    await before;
    return done;
  }
}
