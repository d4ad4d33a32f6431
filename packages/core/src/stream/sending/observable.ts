/**
 * The part of an observable, such as that of RxJS, that `stream()` uses. It is recognised by its `Symbol.observable`.
 */
export interface Observable<T> {
  subscribe(observer: { next(item: T): void; error(error: unknown): void; complete(): void }): {
    unsubscribe(): void;
  };
}

/** Items that an observable may emit before the client has read the first of them. */
const MOST_QUEUED = 1_000;

/** The observable that a source is; undefined if it is none. */
export function observableOf(source: object): Observable<unknown> | undefined {
  // RxJS uses the string if there is no such symbol when it is loaded.
  const { observable = '@@observable' } = Symbol as { observable?: symbol };
  const make =
    (source as Record<PropertyKey, unknown>)[observable] ??
    (source as Record<PropertyKey, unknown>)['@@observable'];
  return typeof make === 'function' ? (make.call(source) as Observable<unknown>) : undefined;
}

/**
 * The items of an observable. It does not wait for its reader, so its items are queued.
 *
 * @throws {Error} more than {@link MOST_QUEUED} items were queued.
 */
export function readObservable(observable: Observable<unknown>): AsyncIterator<unknown> {
  const queue: unknown[] = [];
  let end: { error?: unknown } | undefined;
  let wake = () => {};
  let subscription: { unsubscribe(): void } | undefined;
  const finish = (result: { error?: unknown }) => {
    end ??= result;
    subscription?.unsubscribe();
    wake();
  };
  subscription = observable.subscribe({
    next(item) {
      if (end !== undefined) return;
      queue.push(item);
      if (queue.length <= MOST_QUEUED) wake();
      else
        finish({
          error: new Error(`an observable has emitted ${MOST_QUEUED} items that the client has not read`),
        });
    },
    error: error => finish({ error }),
    complete: () => finish({}),
  });
  // It may have ended while it was subscribed to.
  if (end !== undefined) subscription.unsubscribe();
  return {
    async next() {
      while (queue.length === 0 && end === undefined) {
        await new Promise<void>(resolve => {
          wake = resolve;
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
