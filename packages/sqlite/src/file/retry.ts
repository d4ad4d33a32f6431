import { setTimeout as pause } from 'node:timers/promises';
import { isBusy } from '../errors.ts';

/** ms between two attempts, at most. */
const MAX_PAUSE = 20;

/** Calls until no other process holds the lock. Rejects with the last error if the deadline aborts before. */
export async function retryWhileBusy<Result>(call: () => Result, deadline: AbortSignal): Promise<Result> {
  for (let wait = 1; ; wait = Math.min(wait * 2, MAX_PAUSE)) {
    try {
      return call();
    } catch (error) {
      if (!isBusy(error) || deadline.aborted) throw error;
      // Random: processes that wait for the same lock would meet again.
      await pause(wait * (0.5 + Math.random()));
    }
  }
}
