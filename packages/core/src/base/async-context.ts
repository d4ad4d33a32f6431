/**
 * Makes a function that runs callbacks outside the async context of its caller. A timer made in the context of a
 * request would keep that request's AsyncLocalStorage alive for as long as the timer lives. The callbacks run in a
 * reaction of a promise, which belongs to the context in which `then` was called.
 */
export function createOutside(): (callback: () => void) => void {
  let callbacks: (() => void)[] = [];
  let wake: () => void;
  const listen = () => {
    new Promise<void>(resolve => {
      wake = resolve;
    }).then(() => {
      const due = callbacks;
      callbacks = [];
      listen();
      for (const callback of due) callback();
    });
  };
  listen();
  return callback => {
    callbacks.push(callback);
    wake();
  };
}

interface AsyncHooks {
  AsyncResource: { bind<F extends (...parameters: never[]) => unknown>(callback: F): F };
}

interface BuiltinModules {
  process?: { getBuiltinModule?(id: string): AsyncHooks | undefined };
}

/** Absent on runtimes without `node:async_hooks`, and on Node before 20.16. */
const hooks = (globalThis as BuiltinModules).process?.getBuiltinModule?.('node:async_hooks');

/**
 * Binds a callback of the application to the async context of the call that registers it: an AsyncLocalStorage that
 * the callback reads has the value of that call, and not of the request that happens to publish.
 */
export function bindContext<F extends (...parameters: never[]) => unknown>(callback: F): F {
  return hooks === undefined ? callback : hooks.AsyncResource.bind(callback);
}
