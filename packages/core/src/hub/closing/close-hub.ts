import type { HubParts } from '../hub-parts.ts';
import type { CloseSettings } from './close-options.ts';
import { within } from './deadline.ts';
import { drain } from './drain.ts';

/** ms for the last call of presence, at least. */
const LAST_CALL = 1_000;

/**
 * Closes the parts of a hub that refuses new streams already. Producers first: what they publish last, and the ends of
 * their channels, reach the streams. Until every stream is closed, a handler that is told of the end of its stream may
 * publish that.
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
  // A broker that is away does not hold it up.
  if (presence !== undefined) await atMost(Math.max(left(), LAST_CALL), presence.close(settings.retry[1]));
  await publisher.close();
  if (!listeners.isEmpty) {
    // What was published last may be on its way.
    await publisher.settled();
    await listeners.close(left());
  }
  context.log.channels.close();
  await context.sync?.close();
}

/** Waits for a call, and no longer than so many ms. */
async function atMost(ms: number, call: Promise<unknown>): Promise<void> {
  await within(ms, call, () => new Error('late')).catch(() => {});
}
