import { vi } from 'vitest';

/** Time that passes as a test wants it, for whatever asks `performance` or waits for a timer. Turns are real. */
export class Clock {
  #now = 0;

  start(): void {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
    vi.stubGlobal('performance', { now: () => this.#now });
  }

  stop(): void {
    vi.unstubAllGlobals();
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

  /** No timer goes off any more. */
  clear(): void {
    vi.clearAllTimers();
  }
}
