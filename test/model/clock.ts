import { vi } from 'vitest';

/**
 * Time that passes as a test wants it, for whatever asks `performance` or waits for a timer; and chance that repeats
 * itself, so that a course can be run again. Turns are real.
 */
export class Clock {
  #now = 0;
  #chance = 0;

  start(): void {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
    vi.stubGlobal('performance', { now: () => this.#now });
    vi.spyOn(Math, 'random').mockImplementation(() => {
      this.#chance = (this.#chance + 0.618034) % 1;
      return this.#chance;
    });
  }

  stop(): void {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    vi.useRealTimers();
  }

  /** Somebody works for so many ms, and timers wait. */
  work(ms: number): void {
    this.#now += ms;
  }

  /** Nobody does anything, for so many ms. */
  pass(ms: number): void {
    this.#now += ms;
    vi.advanceTimersByTime(ms);
  }

  /** No timer goes off any more, and chance begins anew. */
  clear(): void {
    vi.clearAllTimers();
    this.#chance = 0;
  }
}
