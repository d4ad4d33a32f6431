import { isThenable } from '../../base/deferred.ts';
import { ITERATION_BUDGET, nextIteration } from '../../base/event-loop.ts';

/**
 * Runs the calls of one listener in sequence. A promise that a call returns is awaited. Calls that return no promise
 * run in the same iteration of the event loop, until {@link ITERATION_BUDGET} is spent.
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
   * Runs the queued calls.
   *
   * @returns a promise that resolves when they, and all calls that are queued meanwhile, are done. Undefined if they
   *   are already done.
   */
  run(): Promise<void> | undefined {
    if (this.#running !== undefined) return this.#running;
    const wait = this.#runUntilWait();
    if (wait !== undefined) this.#running = this.#runAfter(wait);
    return this.#running;
  }

  /** @returns a promise that must be awaited before the next call. Undefined if the queue is empty. */
  #runUntilWait(): PromiseLike<unknown> | undefined {
    const start = performance.now();
    for (let call = this.#calls.shift(); call !== undefined; call = this.#calls.shift()) {
      try {
        const result = call();
        if (isThenable(result)) return result;
      } catch (error) {
        this.#onError(error);
      }
      if (performance.now() - start > ITERATION_BUDGET) return new Promise<void>(nextIteration);
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

  /** Drops the queued calls. A running call continues. */
  clear(): void {
    this.#calls.length = 0;
  }
}
