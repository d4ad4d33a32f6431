import type { Position } from '../protocol/event-id.ts';
import type { Page } from './broker/broker.ts';
import type { LogEntry } from './entry.ts';

/** All entries of a channel between two positions, as read from a broker. */
export interface LogRange {
  /** Ascending. */
  readonly entries: readonly LogEntry[];
  /** `entries` contains every entry after this position and up to `upTo`. */
  readonly after: Position;
  readonly upTo: Position;
  /** The newest position of the channel, if the broker knows it. */
  readonly newest: Position | undefined;
  /** The range contains everything that the broker retains. */
  readonly isWhole: boolean;
}

/**
 * Creates the range that a page covers.
 *
 * @param entries the entries of the page.
 * @param after the position after which the page was requested. 0: from the first retained entry.
 * @param upTo the position up to which the page was requested.
 */
export function createLogRange(
  page: Page,
  entries: readonly LogEntry[],
  after: Position,
  upTo: Position,
  isCompacted: boolean,
): LogRange {
  // Entries after `upTo` may have been trimmed meanwhile. They are not lost, because they arrive through the sink.
  const superseded = isCompacted ? 0 : (page.supersededUpTo ?? 0);
  const trimmedUpTo = Math.min(upTo, Math.max(page.trimmedUpTo, superseded, after));
  return { entries, after: trimmedUpTo, upTo, newest: page.last, isWhole: after === 0 };
}
