import type { CompressionSettings } from '../compression/zlib.ts';
import type { SnapshotSettings } from './snapshots.ts';

/** How much of its log a channel retains. */
export interface Keep {
  /** Events; of a compacted history, keys. */
  events: number;
  bytes: number;
  /** ms. */
  age: number;
  /** Only the latest event of each key. */
  compact: boolean;
}

/** How a process keeps it. */
export interface LocalKeep extends Keep {
  /** Absent: its events are not compressed. */
  compression?: CompressionSettings | undefined;
}

/** What a slow stream gets when entries that it lacks were trimmed. */
export type Overflow = 'reset' | 'disconnect';

/** How a channel is kept. */
export interface ChannelSettings extends LocalKeep {
  overflow: Overflow;
  snapshot: SnapshotSettings | undefined;
  /** ms for which an entry may wait for others. 0: it is delivered in the next turn. */
  flushInterval: number;
}
