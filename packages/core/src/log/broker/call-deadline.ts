/**
 * The deadlines of consecutive calls. Nearly all calls settle long before their deadline, so they share one AbortSignal
 * and one timer. Creating these for each call would take more time than the rest of the call.
 */
export class CallDeadline {
  #controller = new AbortController();
  /** The deadline of the call under way (ms, monotonic). Never earlier than that of the previous call. */
  #due: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins a call. Returns a signal that is aborted at the deadline. */
  begin(due: number): AbortSignal {
    if (this.#controller.signal.aborted) this.#controller = new AbortController();
    this.#due = due;
    const left = due - performance.now();
    if (left <= 0) this.#controller.abort();
    else if (this.#timer === undefined) this.#watch(left);
    else this.#timer.ref?.();
    return this.#controller.signal;
  }

  /** Called when no call is under way. The timer must not keep the process alive. */
  end(): void {
    this.#due = undefined;
    this.#timer?.unref?.();
  }

  #watch(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#due === undefined) return;
      // A timer may run up to one millisecond early.
      const left = Math.ceil(this.#due - performance.now());
      if (left > 0) this.#watch(left);
      else this.#controller.abort();
    }, ms);
  }
}
