/**
 * The part of an observable, such as that of RxJS, that `stream()` uses. It is recognised by its `Symbol.observable`.
 */
export interface Observable<T> {
  subscribe(observer: { next(item: T): void; error(error: unknown): void; complete(): void }): {
    unsubscribe(): void;
  };
}

/** Maximum number of items that are queued for the client. */
const MAX_QUEUED = 1_000;

/** Returns the observable of a source. Undefined if the source is not an observable. */
export function observableOf(source: object): Observable<unknown> | undefined {
  // RxJS uses the string if `Symbol.observable` does not exist when RxJS is loaded.
  const { observable = '@@observable' } = Symbol as { observable?: symbol };
  const make =
    (source as Record<PropertyKey, unknown>)[observable] ??
    (source as Record<PropertyKey, unknown>)['@@observable'];
  return typeof make === 'function' ? (make.call(source) as Observable<unknown>) : undefined;
}

/**
 * Iterates over the items of an observable. An observable does not wait for its consumer, so its items are queued.
 *
 * @throws {Error} more than {@link MAX_QUEUED} items were queued.
 */
export function readObservable(observable: Observable<unknown>): AsyncIterator<unknown> {
  const queue: unknown[] = [];
  let end: { error?: unknown } | undefined;
  let resume = () => {};
  let subscription: { unsubscribe(): void } | undefined;
  const finish = (result: { error?: unknown }) => {
    end ??= result;
    subscription?.unsubscribe();
    resume();
  };
  subscription = observable.subscribe({
    next(item) {
      if (end !== undefined) return;
      queue.push(item);
      if (queue.length <= MAX_QUEUED) resume();
      else
        finish({
          error: new Error(`an observable has emitted ${MAX_QUEUED} items that the client has not read`),
        });
    },
    error: error => finish({ error }),
    complete: () => finish({}),
  });
  // The observable may have ended during `subscribe`, when `subscription` was not set.
  if (end !== undefined) subscription.unsubscribe();
  return {
    async next() {
      while (queue.length === 0 && end === undefined) {
        await new Promise<void>(resolve => {
          resume = resolve;
        });
      }
      if (queue.length > 0) return { done: false, value: queue.shift() };
      if (end !== undefined && 'error' in end) throw end.error;
      return { done: true, value: undefined };
    },
    async return() {
      queue.length = 0;
      finish({});
      return { done: true, value: undefined };
    },
  };
}
