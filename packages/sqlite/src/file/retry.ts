import { setTimeout as pause } from 'node:timers/promises';
import { isBusy } from '../errors.ts';

/** Maximum ms between two attempts. */
const MAX_PAUSE = 20;

/** Repeats a call while another process holds the lock. Rejects with the last error when the deadline is aborted. */
export async function retryWhileBusy<Result>(call: () => Result, deadline: AbortSignal): Promise<Result> {
  for (let wait = 1; ; wait = Math.min(wait * 2, MAX_PAUSE)) {
    try {
      return call();
    } catch (error) {
      if (!isBusy(error) || deadline.aborted) throw error;
      // Random, so that processes that wait for the same lock do not collide again.
      await pause(wait * (0.5 + Math.random()));
    }
  }
}
