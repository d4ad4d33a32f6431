/** ms between two checks. One long timer is not enough: while a machine sleeps, timers do not advance. */
const CHECK_INTERVAL = 5_000;

/** Detects that no byte has arrived for too long. Uses the wall clock, which advances while a machine sleeps. */
export class Liveness {
  readonly #onSilent: () => void;
  #limit: number | undefined;
  #lastByte = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onSilent: () => void) {
    this.#onSilent = onSilent;
  }

  /** @param limit ms without a byte after which the connection counts as dead. Undefined: no limit. */
  start(limit: number | undefined): void {
    this.#limit = limit;
    this.touch();
    this.check();
  }

  /** Called when bytes have arrived. */
  touch(): void {
    this.#lastByte = Date.now();
  }

  /** Checks now, for example when a page was shown again. */
  check(): void {
    clearTimeout(this.#timer);
    if (this.#limit === undefined) return;
    const left = this.#lastByte + this.#limit - Date.now();
    // If the wall clock was set back, the limit would be reached too late.
    if (left > this.#limit) this.touch();
    if (left <= 0) this.#onSilent();
    else this.#timer = setTimeout(() => this.check(), Math.min(left, CHECK_INTERVAL));
  }

  stop(): void {
    this.#limit = undefined;
    clearTimeout(this.#timer);
  }
}
