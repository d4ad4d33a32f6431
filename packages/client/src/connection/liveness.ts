/** ms between two looks at the clock. After a sleep, a timer needs as long as if there had been none. */
const LOOK = 5_000;

/** Notices a connection on which no byte has arrived for too long. It goes by the clock, which runs while a machine sleeps. */
export class Liveness {
  readonly #onSilent: () => void;
  #limit: number | undefined;
  #lastByte = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onSilent: () => void) {
    this.#onSilent = onSilent;
  }

  /** @param limit ms of silence after which the connection is dead. Undefined: it never is. */
  start(limit: number | undefined): void {
    this.#limit = limit;
    this.touch();
    this.check();
  }

  /** A byte has arrived. */
  touch(): void {
    this.#lastByte = Date.now();
  }

  /** Looks at the clock now: the page may have slept. */
  check(): void {
    clearTimeout(this.#timer);
    if (this.#limit === undefined) return;
    const left = this.#lastByte + this.#limit - Date.now();
    // A clock that was set back would stop the watch.
    if (left > this.#limit) this.touch();
    if (left <= 0) this.#onSilent();
    else this.#timer = setTimeout(() => this.check(), Math.min(left, LOOK));
  }

  stop(): void {
    this.#limit = undefined;
    clearTimeout(this.#timer);
  }
}
