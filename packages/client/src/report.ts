/** Reports an error as uncaught, as an EventTarget does with those of its listeners. */
export function report(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
