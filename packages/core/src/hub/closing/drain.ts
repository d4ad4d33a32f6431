import { ITERATION_BUDGET, nextIteration } from '../../base/event-loop.ts';
import { randomBetween } from '../../stream/retry.ts';
import type { Stream } from '../../stream/stream.ts';
import type { CloseSettings } from './close-options.ts';

/** ms between two batches of ended streams. */
const STEP = 10;

/**
 * Ends one stream per millisecond, or more if that is needed to end all streams within three quarters of the time. Each
 * client receives its own random reconnection time. A response to a POST cannot be resumed, so it is not ended, and may
 * continue until the deadline. Streams that are still open at the deadline are aborted.
 */
export async function drain(streams: Stream[], { within, retry }: CloseSettings): Promise<void> {
  const start = performance.now();
  const ended = streams.filter(stream => stream.response.kind.isRepeatable);
  // ms between two streams.
  const interval = Math.min(1, (within * 0.75) / ended.length);
  const deadline = setTimeout(() => {
    for (const stream of streams) stream.abort('drained');
  }, within);
  for (let next = 0; next < ended.length; ) {
    const batchStart = performance.now();
    const due = Math.min(ended.length, 1 + (batchStart - start) / interval);
    while (next < due && performance.now() - batchStart < ITERATION_BUDGET) {
      ended[next++]?.end('drained', { retry: randomBetween(retry), closesConnection: true });
    }
    if (next === ended.length) break;
    // If more streams are already due, it only yields to the event loop.
    await new Promise<void>(resolve => (next < due ? nextIteration(resolve) : setTimeout(resolve, STEP)));
  }
  await Promise.all(streams.map(stream => stream.closed));
  clearTimeout(deadline);
}
