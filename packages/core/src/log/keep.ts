import type { CompressionSettings } from '../compression/zlib.ts';
import type { SnapshotSettings } from './snapshots.ts';

/** How much of its log a channel retains. */
export interface Keep {
  /** Maximum number of events; in a compacted history, of keys. */
  events: number;
  bytes: number;
  /** ms. */
  age: number;
  /** Whether only the latest event of each key is retained. */
  compact: boolean;
}

/** {@link Keep}, and the settings of a history in this process. */
export interface LocalKeep extends Keep {
  /** Absent: the events of the channel are not compressed. */
  compression?: CompressionSettings | undefined;
}

/** What happens to a slow consumer when entries that it has not received were trimmed. */
export type Overflow = 'reset' | 'disconnect';

/** The settings of a channel. */
export interface ChannelSettings extends LocalKeep {
  overflow: Overflow;
  snapshot: SnapshotSettings | undefined;
  /** ms for which an entry may wait for others. 0: it is delivered in the next iteration of the event loop. */
  flushInterval: number;
}
