/** Reports an error as uncaught, like an EventTarget does with the errors of its listeners. */
export function report(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
