import { ITERATION_BUDGET, nextIteration } from '../../base/event-loop.ts';

/**
 * Maximum number of items in one iteration of the event loop. The time budget alone is not enough: the work of an item
 * may continue in microtasks, which run after the time was measured.
 */
const MAX_ITEMS = 64;

/** Handles items in order, a limited number in each iteration of the event loop, beginning with the next iteration. */
export class Slices<T> {
  readonly #handle: (item: T) => unknown;
  #items: T[] = [];
  #next = 0;
  #isRunning = false;

  /** @param handle handles an item. If it returns true, the same item is handled again before the next one. */
  constructor(handle: (item: T) => unknown) {
    this.#handle = handle;
  }

  push(item: T): void {
    this.#items.push(item);
    if (this.#isRunning) return;
    this.#isRunning = true;
    nextIteration(() => this.#run());
  }

  #run(): void {
    const start = performance.now();
    try {
      for (let handled = 0; handled < MAX_ITEMS && this.#next < this.#items.length; handled++) {
        const item = this.#items[this.#next++] as T;
        if (this.#handle(item) === true) this.#next -= 1;
        if (performance.now() - start > ITERATION_BUDGET) break;
      }
    } finally {
      // If `handle` throws, the remaining items are still handled.
      if (this.#next < this.#items.length) nextIteration(() => this.#run());
      else this.#clear();
    }
  }

  #clear(): void {
    this.#items = [];
    this.#next = 0;
    this.#isRunning = false;
  }
}
