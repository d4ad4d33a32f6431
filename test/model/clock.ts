import type { Turns } from './turns.ts';

interface Timer {
  due: number;
  readonly every: number | undefined;
  readonly call: () => void;
  ref(): Timer;
  unref(): Timer;
  hasRef(): boolean;
}

/**
 * Time that passes as a test wants it, for whatever asks `performance` or waits for a timer; and chance that repeats
 * itself, so that a course can be run again. Turns of the event loop: see turns.ts.
 */
export class Clock {
  #now = 0;
  /** Timers do not fire while somebody works: their time is behind by that. */
  #timersNow = 0;
  #chance = 0;
  readonly #timers = new Set<Timer>();
  #restore: (() => void) | undefined;

  get now(): number {
    return this.#now;
  }

  start(): void {
    this.#now = this.#timersNow = 0;
    const { setTimeout, setInterval, clearTimeout, clearInterval, performance } = globalThis;
    const { random } = Math;
    this.#restore = () => {
      Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval });
      Object.defineProperty(globalThis, 'performance', { value: performance, configurable: true });
      Math.random = random;
    };
    const clear = (timer: Timer | undefined) => void (timer && this.#timers.delete(timer));
    Object.assign(globalThis, {
      setTimeout: (call: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
        this.#add(() => call(...args), ms),
      setInterval: (call: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
        this.#add(() => call(...args), ms, Math.max(1, ms)),
      clearTimeout: clear,
      clearInterval: clear,
    });
    Object.defineProperty(globalThis, 'performance', { value: { now: () => this.#now }, configurable: true });
    Math.random = () => {
      this.#chance = (this.#chance + 0.618034) % 1;
      return this.#chance;
    };
  }

  stop(): void {
    this.clear();
    this.#restore?.();
  }

  /** Somebody works for so many ms, and timers wait. */
  work(ms: number): void {
    this.#now += ms;
  }

  /** The process stands still for so many ms, and then timers fire. */
  pass(ms: number): void {
    this.#now += ms;
    const end = this.#timersNow + ms;
    while (this.#fire(end));
    this.#timersNow = end;
  }

  /** Nobody does anything for so many ms. @param between called after each timer. */
  *idle(ms: number, between: () => Turns): Turns {
    const end = this.#timersNow + ms;
    while (this.#fire(end, true)) yield* between();
    this.#now += end - this.#timersNow;
    this.#timersNow = end;
  }

  /** No timer fires any more, and chance begins anew. */
  clear(): void {
    this.#timers.clear();
    this.#chance = 0;
  }

  #add(call: () => void, ms: number, every?: number): Timer {
    const timer: Timer = {
      due: this.#timersNow + Math.max(1, ms),
      every,
      call,
      ref: () => timer,
      unref: () => timer,
      hasRef: () => true,
    };
    this.#timers.add(timer);
    return timer;
  }

  /** Fires the next timer that is due by then. */
  #fire(end: number, movesTime = false): boolean {
    const next = this.#next(end);
    if (next === undefined) return false;
    const passed = Math.max(0, next.due - this.#timersNow);
    this.#timersNow += passed;
    if (movesTime) this.#now += passed;
    if (next.every === undefined) this.#timers.delete(next);
    else next.due += next.every;
    next.call();
    return true;
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
    }
    return next;
  }
}
