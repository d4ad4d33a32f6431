/** ms: `longestHold` is of the last one or two of these. */
const WINDOW = 30_000;

/** Measures how long the delivery loop holds the event loop, and how long its rounds take. */
export class RoundMeter {
  /** Called after each iteration of the event loop in which the loop delivered. */
  onHeld: (ms: number, deliveries: number) => void = () => {};
  /** Called when a round is over. */
  onRound: (ms: number, deliveries: number) => void = () => {};
  rounds = 0;
  /** ms, of all rounds. */
  duration = 0;
  #beganAt = 0;
  #windowBeganAt = 0;
  #longest = 0;
  #longestBefore = 0;

  begin(): void {
    this.#beganAt = performance.now();
  }

  end(deliveries: number): void {
    const ms = performance.now() - this.#beganAt;
    this.rounds += 1;
    this.duration += ms;
    this.onRound(ms, deliveries);
  }

  held(ms: number, deliveries: number): void {
    this.#moveWindow();
    this.#longest = Math.max(this.#longest, ms);
    this.onHeld(ms, deliveries);
  }

  /** ms, of the last 30 to 60 seconds. */
  get longestHold(): number {
    this.#moveWindow();
    return Math.max(this.#longest, this.#longestBefore);
  }

  #moveWindow(): void {
    const now = performance.now();
    const elapsed = now - this.#windowBeganAt;
    if (elapsed < WINDOW) return;
    this.#longestBefore = elapsed < 2 * WINDOW ? this.#longest : 0;
    this.#longest = 0;
    this.#windowBeganAt = now;
  }
}
