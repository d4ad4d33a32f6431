/** ms for which work that can wait may hold the event loop. */
export const TURN_BUDGET = 4;

/** Runs a callback in a later turn of the event loop, after the I/O that is ready now. */
export const nextTurn: (callback: () => void) => void =
  globalThis.setImmediate ?? ((callback: () => void) => setTimeout(callback, 0));

/** Runs an action for each item, and yields to the event loop when that takes longer than the budget of a turn. */
export async function inTurns<T>(items: Iterable<T>, action: (item: T) => void): Promise<void> {
  let start = performance.now();
  for (const item of items) {
    action(item);
    if (performance.now() - start < TURN_BUDGET) continue;
    await new Promise<void>(nextTurn);
    start = performance.now();
  }
}

/** The time that callbacks of one kind, each scheduled by itself, may take together in one turn. */
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
