import { createDeferred, type Deferred } from './deferred.ts';
import type { CloseReason } from './stream.ts';

/**
 * How long a stream takes anything, how long its response is under way, and who waits for that to end. What they
 * wait on is made when they ask: most streams never need it, and there are many streams.
 */
export class Lifetime {
  /** Set as soon as the stream takes nothing any more. */
  #reason: CloseReason | undefined;
  #isOver = false;
  #controller: AbortController | undefined;
  #closed: Deferred<CloseReason> | undefined;
  #drained: Deferred<void> | undefined;

  /** The stream takes what is sent. */
  get isOpen(): boolean {
    return this.#reason === undefined;
  }

  /** The response, too, is over. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (!this.isOpen) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** Resolves when the response is over. */
  get closed(): Promise<CloseReason> {
    if (this.#closed === undefined) {
      this.#closed = createDeferred();
      if (this.#isOver) this.#closed.resolve(this.#reason as CloseReason);
    }
    return this.#closed.promise;
  }

  /** Resolves when `settleDrained` is called, or the stream takes nothing any more. */
  get drained(): Promise<void> {
    this.#drained ??= createDeferred();
    return this.#drained.promise;
  }

  settleDrained(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** The stream takes nothing any more. Only the first reason counts. */
  end(reason: CloseReason): void {
    if (!this.isOpen) return;
    this.#reason = reason;
    this.settleDrained();
    this.#controller?.abort();
  }

  /** The response is over. Returns why the stream ended. */
  over(reason: CloseReason): CloseReason {
    this.end(reason);
    this.#isOver = true;
    this.#closed?.resolve(this.#reason as CloseReason);
    return this.#reason as CloseReason;
  }
}
