import { createDeferred, type Deferred } from '../base/deferred.ts';
import type { CloseReason } from './event-stream.ts';

/** Who waits for something of one stream. Each kind is made when somebody does: of most streams nobody ever does. */
export class Waiters {
  #controller: AbortController | undefined;
  #drained: Deferred<void> | undefined;
  #closed: Deferred<CloseReason> | undefined;

  /** Aborted by `ended`. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  /** Resolves with the next `room`. */
  get drained(): Promise<void> {
    this.#drained ??= createDeferred();
    return this.#drained.promise;
  }

  /** Resolves with `over`. */
  get closed(): Promise<CloseReason> {
    this.#closed ??= createDeferred();
    return this.#closed.promise;
  }

  /** What is sent now need not wait. */
  room(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** The stream takes nothing any more. */
  ended(): void {
    this.room();
    this.#controller?.abort();
  }

  /** The response is over, too. */
  over(reason: CloseReason): void {
    this.#closed?.resolve(reason);
  }
}
