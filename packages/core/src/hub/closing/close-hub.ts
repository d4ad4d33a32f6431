import type { HubParts } from '../hub-parts.ts';
import type { CloseSettings } from './close-options.ts';
import { within } from './deadline.ts';
import { drain } from './drain.ts';

/** Minimum ms for the last call of presence. */
const MIN_LAST_CALL = 1_000;

/**
 * Closes the parts of a hub that already refuses new streams. Producers close first, so that the streams receive their
 * last events and the ends of their channels. The publisher closes after all streams, because a handler may publish
 * when its stream closes.
 */
export async function closeHub(parts: HubParts, settings: CloseSettings): Promise<void> {
  const { registry, context, producers, presence, publisher, listeners } = parts;
  const start = performance.now();
  const left = () => Math.max(0, settings.within - (performance.now() - start));
  context.log.closeWindows();
  presence?.beginClose();
  const produced = producers.close()?.then(() => publisher.settled());
  if (produced !== undefined) await atMost(settings.within, produced);
  await drain([...registry.streams], { ...settings, within: left() });
  // Limited, so that an unreachable broker does not delay the close.
  if (presence !== undefined)
    await atMost(Math.max(left(), MIN_LAST_CALL), presence.close(settings.retry[1]));
  await publisher.close();
  if (!listeners.isEmpty) {
    // The last events may not have arrived from the broker yet.
    await publisher.settled();
    await listeners.close(left());
  }
  context.log.channels.close();
  await context.sync?.close();
}

/** Waits for a call for at most `ms`. Ignores its rejection. */
async function atMost(ms: number, call: Promise<unknown>): Promise<void> {
  await within(ms, call, () => new Error('late')).catch(() => {});
}
