import type { CloseReason } from './event-stream.ts';
import { Waiters } from './waiters.ts';

/** How long a stream takes anything, how long its response is under way, and who waits for that to end. */
export abstract class Lifetime {
  /** Why nothing is taken any more. */
  #reason: CloseReason | undefined;
  #isOver = false;
  #waiters: Waiters | undefined;

  get signal(): AbortSignal {
    const { signal } = this.#waiting;
    if (!this.isOpen) this.#waiting.ended();
    return signal;
  }

  get closed(): Promise<CloseReason> {
    const { closed } = this.#waiting;
    if (this.#isOver) this.#waiting.over(this.#reason as CloseReason);
    return closed;
  }

  /** False as soon as the stream takes nothing any more; its response may still be under way. */
  get isOpen(): boolean {
    return this.#reason === undefined;
  }

  /** The response, too, is over. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves with the next {@link room}, or when nothing is taken any more. */
  protected get untilRoom(): Promise<void> {
    return this.#waiting.drained;
  }

  /** What is sent now need not wait. */
  protected room(): void {
    this.#waiters?.room();
  }

  /** Nothing more is taken. Only the first reason counts. */
  protected stop(reason: CloseReason): void {
    if (!this.isOpen) return;
    this.#reason = reason;
    this.#waiters?.ended();
  }

  /** The response is over. Returns why the stream ended. */
  protected over(reason: CloseReason): CloseReason {
    this.stop(reason);
    this.#isOver = true;
    this.#waiters?.over(this.#reason as CloseReason);
    return this.#reason as CloseReason;
  }

  get #waiting(): Waiters {
    this.#waiters ??= new Waiters();
    return this.#waiters;
  }
}
