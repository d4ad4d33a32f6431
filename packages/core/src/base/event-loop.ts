/** ms that deferrable work may take in one iteration of the event loop. */
export const ITERATION_BUDGET = 4;

/** Runs a callback in a later iteration of the event loop, after the I/O that is ready now. */
export const nextIteration: (callback: () => void) => void =
  globalThis.setImmediate ?? ((callback: () => void) => setTimeout(callback, 0));

/** Runs an action for each item. Yields to the event loop each time {@link ITERATION_BUDGET} is spent. */
export async function forEachYielding<T>(items: Iterable<T>, action: (item: T) => void): Promise<void> {
  let start = performance.now();
  for (const item of items) {
    action(item);
    if (performance.now() - start < ITERATION_BUDGET) continue;
    await new Promise<void>(nextIteration);
    start = performance.now();
  }
}

/** Measures what independently scheduled callbacks take together in one iteration, against {@link ITERATION_BUDGET}. */
export class IterationBudget {
  #start: number | undefined;

  get isSpent(): boolean {
    if (this.#start !== undefined) return performance.now() - this.#start > ITERATION_BUDGET;
    this.#start = performance.now();
    nextIteration(() => {
      this.#start = undefined;
    });
    return false;
  }
}
