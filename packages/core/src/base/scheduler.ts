import { createOutside } from './async-context.ts';
import { nextTurn, TURN_BUDGET } from './event-loop.ts';

/** An entry of the clock. */
export interface Timed {
  /**
   * Does what is due.
   *
   * @param now the clock's time, in ms.
   * @returns when to run again, by the same clock.
   */
  run(now: number): number;
  /** Where the scheduler has put it. */
  slot: Set<Timed> | undefined;
}

const SLOTS = 64;
/** ms between two ticks, beyond the resolution, that count as a pause of this process. */
const PAUSE = 500;

/**
 * The clock of a hub: a timer wheel on a single interval timer, which runs only while the wheel has entries. Deadlines
 * move with every write. Instead of moving along, an entry stays in its slot: when run too early, it returns when it
 * is due.
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
  /** When this process last ran again after a pause (SIGSTOP, a suspended machine, a blocked event loop). */
  #resumedAt = Number.NEGATIVE_INFINITY;

  /** @param outside starts the timer: by default outside the async context of the first caller. */
  constructor(resolution: number, outside = createOutside()) {
    this.resolution = resolution;
    this.#outside = outside;
  }

  /** ms, monotonic; as of the last tick while the clock runs. */
  get now(): number {
    return this.#size === 0 ? time() : this.#now;
  }

  /** ms on this clock: before that, the process did not run, so that no client can be blamed for silence. */
  get resumedAt(): number {
    return this.#resumedAt;
  }

  /** Runs `timed` at `due` or shortly after, and again when it says, until it is deleted. */
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

  /** Runs an entry at `due`, if that is earlier than planned. */
  expedite(timed: Timed, due: number): void {
    if (timed.slot === undefined) return;
    timed.slot.delete(timed);
    this.#put(timed, due);
  }

  #put(timed: Timed, due: number): void {
    // An entry beyond the horizon runs at the horizon, and returns again when it is due.
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
    // Open responses keep a process alive. The clock must not.
    this.#timer.unref?.();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Runs every slot up to the present, and yields to the event loop when that takes long. */
  #run(): void {
    const start = time();
    if (start - this.#now > this.resolution + PAUSE) this.#resumedAt = start;
    this.#now = start;
    const target = this.#tickAt(start);
    // After a pause longer than a round, one round reaches every entry.
    this.#tick = Math.max(this.#tick, target - SLOTS + 1);
    for (;;) {
      const slot = this.#slots[this.#tick % SLOTS] as Set<Timed>;
      for (const timed of slot) {
        const due = timed.run(this.#now);
        if (timed.slot === slot) {
          slot.delete(timed);
          this.#put(timed, due);
        }
        if (time() - start > TURN_BUDGET) {
          this.#isRunning = true;
          nextTurn(() => this.#run());
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
