import { createOutside } from './async-context.ts';
import { ITERATION_BUDGET, nextIteration } from './event-loop.ts';

/** An entry of the timer wheel. */
export interface Timed {
  /**
   * Called when the entry is due, or earlier.
   *
   * @param now the clock's time, in ms.
   * @returns when to run again, by the same clock.
   */
  run(now: number): number;
  /** The slot of the timer wheel that has the entry. Only the scheduler sets it. Undefined: not scheduled. */
  slot: Set<Timed> | undefined;
}

const SLOTS = 64;
/** If two ticks are more than the resolution and this many ms apart, the process was paused. */
const PAUSE = 500;

/**
 * The clock of a hub: a timer wheel on a single interval timer. The timer runs only while the wheel has entries.
 *
 * Deadlines move with every write. An entry is not moved with its deadline: it runs too early, and returns when it is
 * due.
 */
export class Scheduler {
  /** ms between two ticks: an entry runs at most this late on an idle machine. */
  readonly resolution: number;
  readonly #slots = Array.from({ length: SLOTS }, () => new Set<Timed>());
  readonly #outside: (start: () => void) => void;
  #now = 0;
  #tick = 0;
  #size = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isRunning = false;
  /** When this process last resumed after a pause (SIGSTOP, a suspended machine, a blocked event loop). */
  #resumedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param outside calls the function that starts the timer. Default: outside the async context of the first caller.
   */
  constructor(resolution: number, outside = createOutside()) {
    this.resolution = resolution;
    this.#outside = outside;
  }

  /** Whole ms, monotonic. */
  get now(): number {
    return time();
  }

  /**
   * The time of the last tick while the timer runs, otherwise `now`. Cheaper than `now`, for code that runs at every
   * write. It is older than `now` by up to the resolution; after a pause of the process, by the whole pause, until the
   * next tick.
   */
  get tickedAt(): number {
    return this.#size === 0 ? time() : this.#now;
  }

  /** When the process last resumed after a pause, in ms on this clock. Earlier silence is not a client's fault. */
  get resumedAt(): number {
    return this.#resumedAt;
  }

  /** Runs `timed` at `due` or shortly after, then at each time that `run` returns, until it is deleted. */
  add(timed: Timed, due: number): void {
    if (this.#size++ === 0) {
      this.#now = time();
      this.#tick = this.#tickAt(this.#now);
      this.#outside(() => this.#start());
    }
    this.#put(timed, due);
  }

  delete(timed: Timed): void {
    if (timed.slot === undefined) return;
    timed.slot.delete(timed);
    timed.slot = undefined;
    this.#size -= 1;
    if (this.#size === 0) this.#stop();
  }

  /** Runs an entry at `due` if that is earlier than scheduled. */
  expedite(timed: Timed, due: number): void {
    if (timed.slot === undefined) return;
    timed.slot.delete(timed);
    this.#put(timed, due);
  }

  #put(timed: Timed, due: number): void {
    // An entry beyond the end of the wheel runs at the end, and returns again when it is due.
    const tick = Math.min(Math.max(this.#tickAt(due) + 1, this.#tick + 1), this.#tick + SLOTS - 1);
    const slot = this.#slots[tick % SLOTS] as Set<Timed>;
    slot.add(timed);
    timed.slot = slot;
  }

  #tickAt(ms: number): number {
    return Math.floor(ms / this.resolution);
  }

  #start(): void {
    if (this.#size === 0 || this.#timer !== undefined) return;
    this.#timer = setInterval(() => {
      if (!this.#isRunning) this.#run();
    }, this.resolution);
    // Open responses keep the process alive. The clock must not.
    this.#timer.unref?.();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Runs every slot up to now. Yields to the event loop when {@link ITERATION_BUDGET} is spent. */
  #run(): void {
    const start = time();
    if (start - this.#now > this.resolution + PAUSE) this.#resumedAt = start;
    this.#now = start;
    const target = this.#tickAt(start);
    // After a pause longer than one revolution of the wheel, one revolution reaches every entry.
    this.#tick = Math.max(this.#tick, target - SLOTS + 1);
    for (;;) {
      const slot = this.#slots[this.#tick % SLOTS] as Set<Timed>;
      for (const timed of slot) {
        const due = timed.run(this.#now);
        if (timed.slot === slot) {
          slot.delete(timed);
          this.#put(timed, due);
        }
        if (time() - start > ITERATION_BUDGET) {
          this.#isRunning = true;
          nextIteration(() => this.#run());
          return;
        }
      }
      if (this.#tick >= target) break;
      this.#tick += 1;
    }
    this.#isRunning = false;
  }
}

function time(): number {
  return Math.floor(performance.now());
}
