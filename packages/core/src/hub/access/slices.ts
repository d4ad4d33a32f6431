import { nextTurn, TURN_BUDGET } from '../../base/event-loop.ts';

/** Items of one turn. What an item starts may continue in microtasks of the same turn, which no clock here sees. */
const MOST = 64;

/** Handles items in order, so many a turn of the event loop, from the next one on. */
export class Slices<T> {
  readonly #handle: (item: T) => unknown;
  #items: T[] = [];
  #next = 0;
  #isRunning = false;

  /** @param handle an item. If it returns true, the same item is handled again before the next one. */
  constructor(handle: (item: T) => unknown) {
    this.#handle = handle;
  }

  push(item: T): void {
    this.#items.push(item);
    if (this.#isRunning) return;
    this.#isRunning = true;
    nextTurn(() => this.#run());
  }

  #run(): void {
    const start = performance.now();
    try {
      for (let handled = 0; handled < MOST && this.#next < this.#items.length; handled++) {
        const item = this.#items[this.#next++] as T;
        if (this.#handle(item) === true) this.#next -= 1;
        if (performance.now() - start > TURN_BUDGET) break;
      }
    } finally {
      // Whatever one of them has thrown, the others are handled.
      if (this.#next < this.#items.length) nextTurn(() => this.#run());
      else this.#clear();
    }
  }

  #clear(): void {
    this.#items = [];
    this.#next = 0;
    this.#isRunning = false;
  }
}
