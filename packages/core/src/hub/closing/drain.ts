import { nextTurn, TURN_BUDGET } from '../../base/event-loop.ts';
import { randomBetween } from '../../stream/retry.ts';
import type { Stream } from '../../stream/stream.ts';
import type { CloseSettings } from './close-options.ts';

/** ms between two batches of streams that are ended. */
const STEP = 10;

/**
 * Ends streams one a millisecond, or as much faster as it takes to end all of them within three quarters of the time.
 * Each client gets its own reconnection time. A response to a POST cannot be resumed: it may go on until the deadline.
 * Streams that are left at the deadline are aborted.
 */
export async function drain(streams: Stream[], { within, retry }: CloseSettings): Promise<void> {
  const start = performance.now();
  const ended = streams.filter(stream => stream.response.kind.isRepeatable);
  const pace = Math.min(1, (within * 0.75) / ended.length);
  const deadline = setTimeout(() => {
    for (const stream of streams) stream.abort('drained');
  }, within);
  for (let next = 0; next < ended.length; ) {
    const turn = performance.now();
    const due = Math.min(ended.length, 1 + (turn - start) / pace);
    while (next < due && performance.now() - turn < TURN_BUDGET) {
      ended[next++]?.end('drained', { retry: randomBetween(retry), closesConnection: true });
    }
    if (next === ended.length) break;
    // When it is late, it only yields to the event loop.
    await new Promise<void>(resolve => (next < due ? nextTurn(resolve) : setTimeout(resolve, STEP)));
  }
  await Promise.all(streams.map(stream => stream.closed));
  clearTimeout(deadline);
}
