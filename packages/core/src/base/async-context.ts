/**
 * Makes a function that runs others outside of the async context of whoever calls it: a timer made in a
 * request's context would keep that request's AsyncLocalStorage alive for as long as the timer lives. What
 * runs is the reaction of a promise, and a reaction belongs to the context in which `then` was called.
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
