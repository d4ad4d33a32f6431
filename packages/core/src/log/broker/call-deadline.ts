/**
 * The deadlines of calls that follow each other. Nearly all calls settle long before, so they share an AbortSignal and a
 * timer: creating them costs more than the rest of a call.
 */
export class CallDeadline {
  #controller = new AbortController();
  /** ms, monotonic, of the call under way. Never before that of the previous call. */
  #due: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins a call. Returns the signal that aborts when it is due. */
  begin(due: number): AbortSignal {
    if (this.#controller.signal.aborted) this.#controller = new AbortController();
    this.#due = due;
    const left = due - performance.now();
    if (left <= 0) this.#controller.abort();
    else if (this.#timer === undefined) this.#watch(left);
    else this.#timer.ref?.();
    return this.#controller.signal;
  }

  /** No call is under way: the timer must not keep the process alive. */
  end(): void {
    this.#due = undefined;
    this.#timer?.unref?.();
  }

  #watch(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#due === undefined) return;
      // A timer may be early by part of a millisecond.
      const left = Math.ceil(this.#due - performance.now());
      if (left > 0) this.#watch(left);
      else this.#controller.abort();
    }, ms);
  }
}
