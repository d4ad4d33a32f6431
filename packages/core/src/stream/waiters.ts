import { bindContext } from '../base/async-context.ts';
import { createDeferred, type Deferred } from '../base/deferred.ts';
import type { CloseReason } from './event-stream.ts';

interface BuiltinModules {
  process?: {
    getBuiltinModule?(id: string): { setMaxListeners?(n: number, target: AbortSignal): void } | undefined;
  };
}

/** Absent on runtimes without `node:events`, and on Node before 20.16. */
const events = (globalThis as BuiltinModules).process?.getBuiltinModule?.('node:events');

/** The signal and promises of one stream. Each is created when it is first asked for: most streams need none. */
export class Waiters {
  #controller: AbortController | undefined;
  /** Aborts in the async context of whoever asked for the signal first: so do its listeners run. */
  #abort: (() => void) | undefined;
  #drained: Deferred<void> | undefined;
  #closed: Deferred<CloseReason> | undefined;

  /** Aborted by `ended`. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      // A handler adds a listener for each thing that it awaits. Node.js warns about more than ten.
      events?.setMaxListeners?.(0, controller.signal);
      this.#controller = controller;
      this.#abort = bindContext(() => controller.abort());
    }
    return this.#controller.signal;
  }

  /** Resolves with the next `room`. */
  get drained(): Promise<void> {
    this.#drained ??= createDeferred();
    return this.#drained.promise;
  }

  /** Resolves with `closedWith`. */
  get closed(): Promise<CloseReason> {
    this.#closed ??= createDeferred();
    return this.#closed.promise;
  }

  /** There is room for more. */
  room(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** The stream takes nothing more. */
  ended(): void {
    this.room();
    this.#abort?.();
  }

  /** The response is over. */
  closedWith(reason: CloseReason): void {
    this.#closed?.resolve(reason);
  }
}
