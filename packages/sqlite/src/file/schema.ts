/**
 * The version of the tables described below. Kept in `tidings_hub`. Hubs of another version are refused, so that
 * processes with different versions never misread each other.
 */
export const SCHEMA_VERSION = 1;

/** Bytes that an entry takes beside its data, about. Counted against the bounds. */
export const OVERHEAD = 256;

/** ms that an entry stays in the file after it was trimmed, so that every process has delivered it by then. */
export const LIVE_WINDOW = 10_000;

/** ms that a channel is remembered after its history has expired: a client that was away for less loses nothing. */
export const FORGET_DELAY = 10 * 60_000;

/** ms that a channel is kept at least, whatever the age of its history. */
export const MIN_RETENTION = 60_000;

/** ms that a compacted channel is kept after its last event or use: it is state, and has no age. */
export const COMPACTED_RETENTION = 30 * 24 * 60 * 60_000;

/** ms by which a channel may be forgotten later than needed, and by which its last use is known. */
export const COARSE = 10_000;

/** How many broken ranges are remembered. Each start of a process adds one. */
export const MAX_BREAKS = 1_000;

/** The tables of this version. */
export const TABLES = ['tidings_hub', 'tidings_breaks', 'tidings_channels', 'tidings_entries'];

/**
 * - `tidings_hub`: one row. `epoch`; `head`, the newest position; `broken`, the end of the last broken range; `bytes`,
 *   of all events in the file; `forgotten`, the newest position of all channels that were forgotten; `swept`, the
 *   newest position that was deleted from the file.
 * - `tidings_breaks`: ranges of positions without a meaning, exclusive. See `Log.start`.
 * - `tidings_channels`: a row for each channel of which anything is known. `last`, its newest position; `trimmed`, the
 *   position up to which entries may have been trimmed; `cleared`, the position up to which no entry is retained any
 *   more (an older key of a compacted channel may be before `trimmed`); `superseded`, the newest position of which a newer
 *   event has the key; `ended` and `begun`, the positions of its end
 *   and of its last `begin`; `count` and `bytes`, of the retained events; `garbage`, entries that are in the file and not
 *   retained; `stored`, bytes of all its events in the file; `deleted`, the newest position that was deleted from
 *   the file; `age` in ms and `compact`, from its settings; `due`, ms since 1970 after which it is forgotten; `used`, ms
 *   since 1970 of its last event. The last two lag by up to COARSE: each has an index, of which every publish would write
 *   a page.
 * - `tidings_entries`: `tag`, the key for compaction, of the newest event of each key of a compacted channel; `dead`,
 *   whether a newer event of its key or its age has removed it from a compacted channel; `at`, ms since 1970.
 *
 * A compacted channel with few keys has thousands of dead entries: they are in an index of their own, so that nothing that
 * looks for the retained ones passes them. A query has to say `dead = 0` or `dead = 1` to use an index.
 *
 * The entries of `end` and `begin` do not count in `count`, `bytes` and `stored`.
 *
 * An entry that was trimmed, or that its channel never retained, stays in the file for LIVE_WINDOW: the table is also
 * how processes give each other new entries. A process that is further behind finds in `swept` and `deleted` what it
 * has lost.
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
