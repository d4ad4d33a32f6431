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

/** The signal and the promises of one stream. Each is created at its first access, because most streams need none. */
export class Waiters {
  #controller: AbortController | undefined;
  /** Runs in the async context of the first access to `signal`, and so do the signal's listeners. */
  #abort: (() => void) | undefined;
  #drained: Deferred<void> | undefined;
  #closed: Deferred<CloseReason> | undefined;

  /** Aborted by {@link abortSignal}. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      // A handler may add a listener for each promise that it awaits. Node.js warns about more than ten listeners.
      events?.setMaxListeners?.(0, controller.signal);
      this.#controller = controller;
      this.#abort = bindContext(() => controller.abort());
    }
    return this.#controller.signal;
  }

  /** Resolves at the next call of {@link resolveDrained}. */
  get drained(): Promise<void> {
    this.#drained ??= createDeferred();
    return this.#drained.promise;
  }

  /** Resolves at the call of {@link resolveClosed}. */
  get closed(): Promise<CloseReason> {
    this.#closed ??= createDeferred();
    return this.#closed.promise;
  }

  resolveDrained(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** Called when the stream begins to close. Also resolves `drained`, so that a source does not wait any longer. */
  abortSignal(): void {
    this.resolveDrained();
    this.#abort?.();
  }

  resolveClosed(reason: CloseReason): void {
    this.#closed?.resolve(reason);
  }
}
