import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Opened, Page, Position, ReadFrom } from '@tidings/core';
import { retryWhileBusy } from './file/retry.ts';
import type { Store } from './file/store.ts';
import type { LiveFeed } from './live-feed.ts';
import { type PageBudget, readPage } from './log/pages.ts';

/** ms for which reading pages may hold the event loop. */
const TURN_BUDGET = 4;

/** Bounds on all pages of one call. Whoever wants more calls `read`. */
const BUDGET: PageBudget = { entries: 2_000, bytes: 1024 * 1024 };

type Wants = ReadonlyMap<string, ReadFrom>;

/**
 * Opens channels. The feed is brought up to date and held there: at this position it begins to deliver the channels, and
 * up to it their pages are read. That takes several turns of the event loop if the channels are many.
 */
export async function openChannels(
  { store, feed }: { store: Store; feed: LiveFeed },
  wants: Wants,
  deadline: AbortSignal,
): Promise<Opened> {
  for (;;) {
    while (!(await retryWhileBusy(() => feed.catchUp(), deadline))) await nextTurn();
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

/** Undefined: the log has restarted in a new epoch meanwhile. */
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
    if (pages.size > 0) await nextTurn();
    await retryWhileBusy(
      () =>
        store.read((connection, hub) => {
          const start = performance.now();
          while (!next.done && performance.now() - start < TURN_BUDGET) {
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
