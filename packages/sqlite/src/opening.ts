import { setImmediate as nextIteration } from 'node:timers/promises';
import type { Opened, Page, Position, ReadFrom } from '@tidings/core';
import { retryWhileBusy } from './file/retry.ts';
import type { Store } from './file/store.ts';
import type { LiveFeed } from './live-feed.ts';
import { type PageBudget, readPage } from './log/pages.ts';

/** ms for which reading pages may block the event loop. */
const ITERATION_BUDGET = 4;

/** Limits on all pages of one call. The hub calls `read` for more. */
const BUDGET: PageBudget = { entries: 2_000, bytes: 1024 * 1024 };

type Wants = ReadonlyMap<string, ReadFrom>;

/**
 * Opens channels. The feed catches up, and is then held at a position: the pages of the channels are read up to this
 * position, and the feed delivers their entries after it. Many channels take several iterations of the event loop.
 */
export async function openChannels(
  { store, feed }: { store: Store; feed: LiveFeed },
  wants: Wants,
  deadline: AbortSignal,
): Promise<Opened> {
  for (;;) {
    while (!(await retryWhileBusy(() => feed.catchUp(), deadline))) await nextIteration();
    const head = feed.hold();
    let isRead = false;
    try {
      const pages = await readPages(store, wants, head, deadline);
      isRead = pages !== undefined;
      if (pages !== undefined) return { head, pages };
    } finally {
      feed.open(isRead ? wants.keys() : []);
    }
  }
}

/** Returns undefined if the log has restarted in a new epoch meanwhile. */
async function readPages(
  store: Store,
  wants: Wants,
  until: Position,
  deadline: AbortSignal,
): Promise<Map<string, Page> | undefined> {
  const { epoch } = store;
  const pages = new Map<string, Page>();
  const budget = { ...BUDGET };
  const names = wants.entries();
  let next = names.next();
  while (!next.done) {
    if (pages.size > 0) await nextIteration();
    await retryWhileBusy(
      () =>
        store.read((connection, hub) => {
          const start = performance.now();
          while (!next.done && performance.now() - start < ITERATION_BUDGET) {
            const [name, from] = next.value;
            pages.set(name, readPage(connection, hub, { name, from, until }, budget));
            next = names.next();
          }
        }),
      deadline,
    );
    if (store.epoch !== epoch) return undefined;
  }
  return pages;
}
