import type { Position } from '../protocol/event-id.ts';
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
