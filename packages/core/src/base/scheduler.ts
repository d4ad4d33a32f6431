import { createOutside } from './async-context.ts';

/** Whom the clock visits. */
export interface Timed {
  /**
   * Does what is due.
   *
   * @param now the clock's time, in ms.
   * @returns when to come again, by the same clock.
   */
  visit(now: number): number;
  /** The scheduler's own note of where it has put this one. */
  slot: Set<Timed> | undefined;
}

const SLOTS = 64;
/** Ms for which work that can wait may hold the event loop. */
export const TURN_BUDGET = 4;

/** Calls back in a later turn of the event loop, after the I/O that is ready now. */
export const nextTurn: (callback: () => void) => void =
  globalThis.setImmediate ?? ((callback: () => void) => setTimeout(callback, 0));

/** Does something for each, and yields to the event loop when that takes long. */
export async function inTurns<T>(items: Iterable<T>, action: (item: T) => void): Promise<void> {
  let start = performance.now();
  for (const item of items) {
    action(item);
    if (performance.now() - start < TURN_BUDGET) continue;
    await new Promise<void>(nextTurn);
    start = performance.now();
  }
}

/** What all work of one kind may take in one turn, each piece of which has a callback of its own. */
export class TurnBudget {
  #start: number | undefined;

  get isSpent(): boolean {
    if (this.#start !== undefined) return performance.now() - this.#start > TURN_BUDGET;
    this.#start = performance.now();
    nextTurn(() => {
      this.#start = undefined;
    });
    return false;
  }
}

/**
 * The one clock of a hub: a timer wheel on a single interval timer, which runs only while somebody is on it.
 * Deadlines move with every write; instead of moving along, an entry stays where it is and, when visited too
 * early, says when to come again.
 */
export class Scheduler {
  /** Ms between two ticks: as late as a visit may be on an idle machine. */
  readonly resolution: number;
  readonly #slots = Array.from({ length: SLOTS }, () => new Set<Timed>());
  readonly #outside: (start: () => void) => void;
  #now = 0;
  #tick = 0;
  #size = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #walking = false;

  /** @param outside starts the timer: not in the context of whoever happens to be the first, unless told otherwise. */
  constructor(resolution: number, outside = createOutside()) {
    this.resolution = resolution;
    this.#outside = outside;
  }

  /** Ms, monotonic; as of the last tick, if the clock runs. */
  get now(): number {
    return this.#size === 0 ? time() : this.#now;
  }

  /** Visits `timed` at `due` or shortly after, and again as it says, until it is deleted. */
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

  #put(timed: Timed, due: number): void {
    // What lies beyond the horizon is visited at the horizon, and says again when it is due.
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
      if (!this.#walking) this.#walk();
    }, this.resolution);
    // Open responses keep a process alive; the clock that watches them must not.
    this.#timer.unref?.();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Visits every slot up to the present, and yields to the event loop when that takes long. */
  #walk(): void {
    const start = time();
    this.#now = start;
    const target = this.#tickAt(start);
    // After a pause of a whole round and more, one round reaches everybody.
    this.#tick = Math.max(this.#tick, target - SLOTS + 1);
    for (;;) {
      const slot = this.#slots[this.#tick % SLOTS] as Set<Timed>;
      for (const timed of slot) {
        const due = timed.visit(this.#now);
        if (timed.slot === slot) {
          slot.delete(timed);
          this.#put(timed, due);
        }
        if (time() - start > TURN_BUDGET) {
          this.#walking = true;
          nextTurn(() => this.#walk());
          return;
        }
      }
      if (this.#tick >= target) break;
      this.#tick += 1;
    }
    this.#walking = false;
  }
}

function time(): number {
  return Math.floor(performance.now());
}
