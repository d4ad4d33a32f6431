/**
 * Creates a function that runs callbacks outside the async context of its caller. A timer that is started in the
 * context of a request would keep that request's AsyncLocalStorage in memory until the timer ends. The callbacks run in
 * a promise reaction, and a reaction runs in the async context in which `then` was called.
 */
export function createOutside(): (callback: () => void) => void {
  let callbacks: (() => void)[] = [];
  let runCallbacks: () => void;
  const listen = () => {
    new Promise<void>(resolve => {
      runCallbacks = resolve;
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
    runCallbacks();
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
 * Binds a callback of the application to the async context of the call that registers it. An AsyncLocalStorage that the
 * callback reads then has the value of that call, not the value of the request that publishes.
 */
export function bindContext<F extends (...parameters: never[]) => unknown>(callback: F): F {
  return hooks === undefined ? callback : hooks.AsyncResource.bind(callback);
}
