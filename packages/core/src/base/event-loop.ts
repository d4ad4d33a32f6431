/** ms that deferrable work may take in one iteration ("turn") of the event loop. */
export const TURN_BUDGET = 4;

/** Runs a callback in a later iteration of the event loop, after the I/O that is ready now. */
export const nextTurn: (callback: () => void) => void =
  globalThis.setImmediate ?? ((callback: () => void) => setTimeout(callback, 0));

/** Runs an action for each item. Yields to the event loop each time {@link TURN_BUDGET} is spent. */
export async function inTurns<T>(items: Iterable<T>, action: (item: T) => void): Promise<void> {
  let start = performance.now();
  for (const item of items) {
    action(item);
    if (performance.now() - start < TURN_BUDGET) continue;
    await new Promise<void>(nextTurn);
    start = performance.now();
  }
}

/** Measures the time that independently scheduled callbacks take together in one iteration, against {@link TURN_BUDGET}. */
export class TurnBudget {
  #start: number | undefined;

  get isSpent(): boolean {
    if (this.#start !== undefined) return performance.now() - this.#start > TURN_BUDGET;
    this.#start = performance.now();
    nextTurn(() => {
      this.#start = undefined;
    });
    return false;
  }
}
