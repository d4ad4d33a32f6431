import { nextTurn, TURN_BUDGET } from '../base/scheduler.ts';
import { createRetry } from '../stream/retry.ts';
import type { OpenStream } from '../stream/stream.ts';
import type { CloseSettings } from './options.ts';

/** Ms between two batches of streams that are ended. */
const STEP = 10;

/**
 * Ends streams one a millisecond, or as much faster as it takes to have them all ended after three quarters of
 * the time. Each client gets its own moment to come back. What is left at the deadline is cut.
 */
export async function drain(streams: OpenStream[], { within, retry }: CloseSettings): Promise<void> {
  const start = performance.now();
  const pace = Math.min(1, (within * 0.75) / streams.length);
  const deadline = setTimeout(() => {
    for (const stream of streams) stream.destroy('drained');
  }, within);
  for (let next = 0; next < streams.length; ) {
    const turn = performance.now();
    const due = Math.min(streams.length, 1 + (turn - start) / pace);
    while (next < due && performance.now() - turn < TURN_BUDGET) {
      streams[next++]?.finish('drained', createRetry(retry), true);
    }
    if (next === streams.length) break;
    // Behind its time, it leaves others their turn and goes on.
    await new Promise<void>(resolve => (next < due ? nextTurn(resolve) : setTimeout(resolve, STEP)));
  }
  await Promise.all(streams.map(stream => stream.closed));
  clearTimeout(deadline);
}
