import type { Position } from '../protocol/event-id.ts';
import type { Page } from './broker/broker.ts';
import type { LogEntry } from './entry.ts';

/** The entries of a page, and which part of the log they are. */
export interface Filling {
  /** Ascending. */
  readonly entries: readonly LogEntry[];
  /** Every entry after this position, and up to `upTo`, is among them. */
  readonly after: Position;
  readonly upTo: Position;
  /** The newest position of the channel, if the broker knows it. */
  readonly newest: Position | undefined;
  /** The page has everything that the broker retains. */
  readonly isWhole: boolean;
}

/**
 * Creates the filling of a page.
 *
 * @param entries those of the page.
 * @param after the page was asked for what is newer; 0: for everything.
 * @param upTo and for nothing newer than this.
 */
export function createFilling(
  page: Page,
  entries: readonly LogEntry[],
  after: Position,
  upTo: Position,
  isCompacted: boolean,
): Filling {
  // Entries that were trimmed meanwhile, and are newer than the page, are on their way here: they are not lost.
  const superseded = isCompacted ? 0 : (page.supersededUpTo ?? 0);
  const trimmedUpTo = Math.min(upTo, Math.max(page.trimmedUpTo, superseded, after));
  return { entries, after: trimmedUpTo, upTo, newest: page.last, isWhole: after === 0 };
}
