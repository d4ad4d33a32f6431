import type { CompressionSettings } from '../compression/zlib.ts';

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
