/*
 * Turns of the event loop, counted: a course is over when no callback is due any more. Import this file before
 * @tidings/core, which keeps the `setImmediate` that it finds.
 */

const immediate = globalThis.setImmediate;
const clear = globalThis.clearImmediate;
const due = new Set<NodeJS.Immediate>();

function setCounted<Args extends unknown[]>(callback: (...args: Args) => void, ...args: Args) {
  const handle = immediate(() => {
    due.delete(handle);
    callback(...args);
  });
  due.add(handle);
  return handle;
}

globalThis.setImmediate = Object.assign(setCounted, {
  __promisify__: immediate.__promisify__,
}) as typeof setImmediate;
globalThis.clearImmediate = handle => {
  if (handle !== undefined) due.delete(handle as NodeJS.Immediate);
  clear(handle);
};

/** Whether nothing has anything to do in the next turn. To be asked right after `turn`. */
export function isQuiet(): boolean {
  return due.size === 0;
}

/** Lets one turn of the event loop pass, with the microtasks that it causes. */
export function turn(): Promise<void> {
  return new Promise(resolve => void immediate(resolve));
}

/** Resolves in the next turn, which is counted. */
export function tick(): Promise<void> {
  return new Promise(resolve => void setCounted(resolve));
}
