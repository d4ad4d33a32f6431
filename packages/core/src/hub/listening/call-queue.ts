import { isThenable } from '../../base/deferred.ts';
import { nextTurn, TURN_BUDGET } from '../../base/event-loop.ts';

/**
 * Calls of one listener, one after the other. A call that returns a promise is awaited. Calls that return none run at
 * once, for as long as a turn of the event loop may be held.
 */
export class CallQueue {
  readonly #calls: (() => unknown)[] = [];
  readonly #onError: (error: unknown) => void;
  #running: Promise<void> | undefined;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  push(call: () => unknown): void {
    this.#calls.push(call);
  }

  /**
   * Runs what is queued.
   *
   * @returns resolves when that, and what is queued meanwhile, is done; undefined if it is done already.
   */
  run(): Promise<void> | undefined {
    if (this.#running !== undefined) return this.#running;
    const wait = this.#runUntilWait();
    if (wait !== undefined) this.#running = this.#runAfter(wait);
    return this.#running;
  }

  /** @returns what has to be awaited before the next call; undefined if nothing is queued. */
  #runUntilWait(): PromiseLike<unknown> | undefined {
    const start = performance.now();
    for (let call = this.#calls.shift(); call !== undefined; call = this.#calls.shift()) {
      try {
        const result = call();
        if (isThenable(result)) return result;
      } catch (error) {
        this.#onError(error);
      }
      if (performance.now() - start > TURN_BUDGET) return new Promise<void>(nextTurn);
    }
    return undefined;
  }

  async #runAfter(wait: PromiseLike<unknown>): Promise<void> {
    for (let next: typeof wait | undefined = wait; next !== undefined; next = this.#runUntilWait()) {
      try {
        await next;
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#running = undefined;
  }

  /** What is queued is dropped. A call under way goes on. */
  clear(): void {
    this.#calls.length = 0;
  }
}
