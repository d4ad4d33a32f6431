/**
 * The version of the tables described below. Stored in `tidings_hub`. Hubs of another version are refused, so that
 * processes with different versions never misread each other.
 */
export const SCHEMA_VERSION = 1;

/** Approximate bytes of an entry without its data. Counted against the limits. */
export const OVERHEAD = 256;

/** ms for which a trimmed entry stays in the file, so that every process can deliver it. */
export const LIVE_WINDOW = 10_000;

/**
 * ms for which the row of a channel stays after its history has expired. A client that was disconnected for less time
 * misses no event.
 */
export const EXPIRY_DELAY = 10 * 60_000;

/** Minimum ms for which a channel is retained, even if the age limit of its history is shorter. */
export const MIN_RETENTION = 60_000;

/** ms for which a compacted channel is retained after its last event or use. Its entries are state without an age. */
export const COMPACTED_RETENTION = 30 * 24 * 60 * 60_000;

/** Precision of `due` and `used` in ms. */
export const COARSE = 10_000;

/** Maximum number of stored breaks. Each start of a process adds one. */
export const MAX_BREAKS = 1_000;

/** The tables of this version. */
export const TABLES = ['tidings_hub', 'tidings_breaks', 'tidings_channels', 'tidings_entries'];

/**
 * - `tidings_hub`: one row. `epoch`; `head`, the newest position; `broken`, the end of the last break; `bytes`, of all
 *   events in the file; `forgotten`, the newest position of all channels whose rows were deleted; `swept`, the newest
 *   position that was deleted from the file.
 * - `tidings_breaks`: ranges of invalid positions, exclusive. See `Store.start`.
 * - `tidings_channels`: a row for each known channel. `last`, its newest position; `trimmed`, the position up to which
 *   entries may have been trimmed; `cleared`, the position up to which no entry is retained (in a compacted channel,
 *   entries before `trimmed` may be retained); `superseded`, the newest position of an event whose key has a newer
 *   event; `ended` and `begun`, the positions of its end and of its last `begin`; `count` and `bytes`, of the retained
 *   events; `garbage`, the number of entries that are in the file but not retained; `stored`, the bytes of all its
 *   events in the file; `deleted`, the newest position that was deleted from the file; `age` in ms and `compact`, from
 *   its settings; `due`, ms since 1970 after which the row is deleted; `used`, ms since 1970 of its last event. The
 *   last two are accurate to COARSE: each has an index, of which otherwise every publish would write a page.
 * - `tidings_entries`: `tag`, the key for compaction, for the newest event of each key of a compacted channel; `dead`,
 *   whether a newer event of its key, or its age, has removed it from a compacted channel; `at`, ms since 1970.
 *
 * A compacted channel with few keys may have thousands of dead entries. They are in a separate index, so that queries
 * for retained entries do not scan them. A query must contain `dead = 0` or `dead = 1` to use an index.
 *
 * The entries of `end` and `begin` do not count in `count`, `bytes` and `stored`.
 *
 * An entry that was trimmed, or that its channel never retained, stays in the file for LIVE_WINDOW, because processes
 * also read new entries from this table. A process that reads later finds in `swept` and `deleted` which channels have
 * lost entries.
 *
 * Text has no NUL, see `encodeText`.
 */
export const SCHEMA = `
CREATE TABLE IF NOT EXISTS tidings_hub (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL,
  epoch TEXT NOT NULL,
  head INTEGER NOT NULL,
  broken INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  forgotten INTEGER NOT NULL,
  swept INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS tidings_breaks (after_position INTEGER PRIMARY KEY, before_position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tidings_channels (
  id INTEGER PRIMARY KEY,
  name TEXT UNIQUE NOT NULL,
  last INTEGER NOT NULL,
  trimmed INTEGER NOT NULL,
  cleared INTEGER NOT NULL,
  superseded INTEGER NOT NULL,
  ended INTEGER,
  begun INTEGER,
  count INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  garbage INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  age INTEGER NOT NULL,
  compact INTEGER NOT NULL,
  due INTEGER NOT NULL,
  used INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS tidings_due ON tidings_channels (due);
CREATE INDEX IF NOT EXISTS tidings_oldest ON tidings_channels (used) WHERE stored > 0;
CREATE TABLE IF NOT EXISTS tidings_entries (
  position INTEGER PRIMARY KEY,
  channel INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  dead INTEGER NOT NULL,
  at INTEGER NOT NULL,
  size INTEGER NOT NULL,
  json INTEGER NOT NULL,
  tag TEXT,
  event TEXT,
  key TEXT,
  except_for TEXT,
  data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS tidings_history ON tidings_entries (channel, position) WHERE dead = 0;
CREATE INDEX IF NOT EXISTS tidings_keys ON tidings_entries (channel, tag) WHERE tag IS NOT NULL;
CREATE INDEX IF NOT EXISTS tidings_tombstones ON tidings_entries (channel, position)
  WHERE kind = 1 AND tag IS NOT NULL;
CREATE INDEX IF NOT EXISTS tidings_dead ON tidings_entries (channel, position) WHERE dead = 1;
`;

/** The row of `tidings_hub`. */
export interface HubRow {
  version: number;
  epoch: string;
  head: number;
  broken: number;
  bytes: number;
  forgotten: number;
  swept: number;
}

/** A row of `tidings_channels`. */
export interface ChannelRow {
  id: number;
  name: string;
  last: number;
  trimmed: number;
  cleared: number;
  superseded: number;
  ended: number | null;
  begun: number | null;
  count: number;
  bytes: number;
  garbage: number;
  stored: number;
  deleted: number;
  age: number;
  compact: number;
  due: number;
  used: number;
}
