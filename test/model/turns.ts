/*
 * Turns of the event loop of a course, counted: a course is over when no callback is due any more. Import this file
 * before @tidings/core, which keeps the `setImmediate` that it finds.
 */

const { setImmediate: immediate, clearImmediate: clear } = globalThis;
/** Runs microtasks now, and not only when the callback that is under way has returned. No effect within a microtask. */
const runMicrotasks = (process as unknown as { _tickCallback(): void })._tickCallback;

/** Callbacks that Node.js is to call. */
const due = new Set<NodeJS.Immediate>();
/** Callbacks of the next turn, where a course makes its turns. */
let own: (() => void)[] | undefined;

function setCounted<Args extends unknown[]>(callback: (...args: Args) => void, ...args: Args) {
  if (own !== undefined) {
    own.push(() => callback(...args));
    return undefined;
  }
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

/** What a course waits for: a turn of the event loop, or microtasks and those that they cause. */
export type Turns = Generator<'turn' | 'microtasks', void, void>;

/**
 * Makes the turns of a course. They need no system call, what a callback throws fails its own course, and a course that
 * fails leaves nothing to the next one. But nothing that Node.js does is waited for.
 */
export function makeTurns(course: () => Turns): Promise<void> {
  return new Promise((resolve, reject) => {
    immediate(() => {
      own = [];
      try {
        for (const wait of course()) {
          runMicrotasks();
          if (wait === 'turn') makeTurn();
        }
        runMicrotasks();
        resolve();
      } catch (error) {
        reject(error);
      } finally {
        own = undefined;
      }
    });
  });
}

function makeTurn(): void {
  const now = own ?? [];
  own = [];
  for (const callback of now) {
    callback();
    runMicrotasks();
  }
}

/** Has the turns of a course made by Node.js. */
export async function awaitTurns(course: () => Turns): Promise<void> {
  for (const wait of course()) {
    if (wait === 'turn') await new Promise<void>(resolve => void immediate(resolve));
    else for (let i = 0; i < 3; i++) await undefined;
  }
}

/** Whether nothing has anything to do in the next turn. To be asked right after a turn. */
export function isQuiet(): boolean {
  return own === undefined ? due.size === 0 : own.length === 0;
}

/** Resolves in the next turn, which is counted. */
export function tick(): Promise<void> {
  return new Promise(resolve => void setCounted(resolve));
}
