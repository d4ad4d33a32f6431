/*
 * Turns of the event loop of a course. They are made here, and not by Node.js: they need no system call, what a callback
 * throws fails its own course, and a course that fails leaves nothing to the next one. Outside courses they are those
 * of Node.js. Import this file before @tidings/core, which keeps the `setImmediate` that it finds.
 */

const { setImmediate: immediate } = globalThis;

/** What is due in the next turn. Undefined: no course is under way. */
let due: (() => void)[] | undefined;

/** Runs microtasks now, and not only when the callback that is under way has returned. No effect within a microtask. */
const runMicrotasks = (process as unknown as { _tickCallback(): void })._tickCallback;

function setInTurn<Args extends unknown[]>(callback: (...args: Args) => void, ...args: Args) {
  if (due === undefined) return immediate(callback, ...args);
  due.push(() => callback(...args));
  return undefined;
}

globalThis.setImmediate = Object.assign(setInTurn, {
  __promisify__: immediate.__promisify__,
}) as typeof setImmediate;

/** Runs a course in a callback of its own, in which `turn` and `settle` can be called. */
export function withTurns<T>(course: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    immediate(() => {
      due = [];
      try {
        resolve(course());
      } catch (error) {
        reject(error);
      } finally {
        due = undefined;
      }
    });
  });
}

/** Whether nothing has anything to do in the next turn. To be asked right after `turn`. */
export function isQuiet(): boolean {
  return due?.length === 0;
}

/** Lets microtasks run, and those that they cause. */
export function settle(): void {
  runMicrotasks();
}

/** Lets one turn of the event loop pass, with the microtasks that it causes. */
export function turn(): void {
  runMicrotasks();
  const now = due ?? [];
  due = [];
  for (const callback of now) {
    callback();
    runMicrotasks();
  }
}

/** Resolves in the next turn. */
export function tick(): Promise<void> {
  return new Promise(resolve => void setInTurn(resolve));
}
