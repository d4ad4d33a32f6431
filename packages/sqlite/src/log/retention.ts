import type { Keep } from '@tidings/core';
import type { Connection } from '../file/connection.ts';
import { type ChannelRow, type HubRow, LIVE_WINDOW } from '../file/schema.ts';
import { clearChannel, saveChannel } from './channels.ts';
import { KIND } from './format.ts';

/** Maximum number of entries of one step of trimming or sweeping. */
const STEP = 256;

/** ms by which a sweep is delayed, so that it deletes many entries at once. */
const SWEEP_DELAY = 1_000;

/** Maximum number of eviction steps of one batch. Together they evict more than one batch can append. */
const EVICT_STEPS = 64;

/**
 * Number of channels that are compared to find the one that was published to least recently. Thousands of channels may
 * have the same `used`.
 */
const CANDIDATES = 64;

/** Maximum number of expired channels that one batch deletes. */
const MAX_EXPIRED = 2;

interface Stored {
  position: number;
  kind: number;
  size: number;
  at: number;
}

/**
 * Trims a channel to its limits, oldest entries first. In a compacted channel, the age limit is for tombstones only.
 */
export function trimChannel(
  connection: Connection,
  row: ChannelRow,
  keep: Readonly<Keep>,
  now: number,
): void {
  if (row.compact === 1) trimTombstones(connection, row, now - keep.age);
  const isOver = () => row.count > keep.events || row.bytes > keep.bytes;
  while (row.count > 0) {
    // One entry more than needed, to check that it can stay; and a `begin`.
    const limit = Math.min(STEP, Math.max(1, row.count - keep.events + 1) + 1);
    const oldest = connection.all<Stored>(
      `SELECT position, kind, size, at FROM tidings_entries
       WHERE channel = ? AND position > ? AND dead = 0 ORDER BY position LIMIT ?`,
      row.id,
      row.cleared,
      limit,
    );
    for (const { position, kind, size, at } of oldest) {
      // A `begin` is trimmed together with the first event after it.
      if (kind === KIND.begin) continue;
      const isOld = row.compact === 0 && at + keep.age <= now;
      if (kind === KIND.end || !(isOld || isOver())) return;
      const begins = row.begun !== null && row.begun > row.cleared && row.begun < position ? 1 : 0;
      row.cleared = position;
      row.trimmed = Math.max(row.trimmed, position);
      row.count -= 1;
      row.bytes -= size;
      row.garbage += 1 + begins;
    }
    if (oldest.length === 0) return;
  }
}

/** @param upTo ms since 1970: tombstones of this time or earlier are trimmed. */
function trimTombstones(connection: Connection, row: ChannelRow, upTo: number): void {
  const old = connection.all<Stored>(
    `SELECT position, size FROM tidings_entries
     WHERE channel = ? AND position > ? AND kind = ${KIND.gone} AND tag IS NOT NULL AND at <= ?
     ORDER BY position LIMIT ${STEP}`,
    row.id,
    row.cleared,
    upTo,
  );
  for (const { position, size } of old) {
    connection.run('UPDATE tidings_entries SET dead = 1, tag = NULL WHERE position = ?', position);
    row.trimmed = Math.max(row.trimmed, position);
    row.count -= 1;
    row.bytes -= size;
    row.garbage += 1;
  }
}

/** Conditions for the two kinds of garbage, each with its index. The parameters are the channel and its `cleared`. */
const TRIMMED = 'channel = ? AND dead = 0 AND position <= ?';
const DEAD = 'channel = ? AND dead = 1 AND ? >= 0';

/** Deletes garbage of a channel from the file, after every process has had time to deliver it. */
export function sweepChannel(
  connection: Connection,
  hub: HubRow,
  row: ChannelRow,
  { added, now }: { added: number; now: number },
): void {
  if (row.garbage === 0) return;
  const which = row.compact === 1 ? [TRIMMED, DEAD] : [TRIMMED];
  for (const where of which) {
    const [first] = connection.all<Stored>(
      `SELECT at FROM tidings_entries WHERE ${where} ORDER BY position LIMIT 1`,
      row.id,
      row.cleared,
    );
    if (first === undefined || first.at > now - LIVE_WINDOW - SWEEP_DELAY) continue;
    // LIMIT applies before the age is checked, so that the query does not scan newer entries.
    const oldest = `SELECT position, at FROM tidings_entries WHERE ${where} ORDER BY position LIMIT ?`;
    const deleted = connection.all<Stored>(
      `DELETE FROM tidings_entries WHERE position IN (SELECT position FROM (${oldest}) WHERE at <= ?)
       RETURNING position, size`,
      row.id,
      row.cleared,
      STEP + 2 * added,
      now - LIVE_WINDOW,
    );
    account(hub, row, deleted);
    row.garbage = Math.max(0, row.garbage - deleted.length);
  }
}

/** Evicts entries until `maxBytes` is met, beginning with the channel that was published to least recently. */
export function evict(connection: Connection, hub: HubRow, maxBytes: number): void {
  for (let step = 0; hub.bytes > maxBytes && step < EVICT_STEPS; step++) {
    const row = connection.get<ChannelRow>(
      `SELECT * FROM (SELECT * FROM tidings_channels WHERE stored > 0 ORDER BY used LIMIT ${CANDIDATES})
       ORDER BY last LIMIT 1`,
    );
    if (row === undefined) return;
    const deleted = deleteOldest(connection, row, hub.bytes - maxBytes);
    if (deleted.length === 0) return;
    const retained = deleted.filter(({ position, dead }) => position > row.cleared && dead === 0);
    for (const { size } of retained) {
      row.count -= 1;
      row.bytes -= size;
    }
    row.garbage = Math.max(0, row.garbage - (deleted.length - retained.length));
    if (retained.length > 0) {
      row.cleared = Math.max(row.cleared, ...retained.map(({ position }) => position));
      row.trimmed = Math.max(row.trimmed, row.cleared);
    }
    account(hub, row, deleted);
    saveChannel(connection, row);
  }
}

type Evicted = Stored & { dead: number };

/** Deletes the oldest events of a channel from the file, dead ones first: at least `bytes`, but at most 64 events. */
function deleteOldest(connection: Connection, { id }: ChannelRow, bytes: number): Evicted[] {
  for (const dead of [1, 0]) {
    const oldest = connection.all<Stored>(
      `SELECT position, size FROM tidings_entries
       WHERE channel = ? AND dead = ${dead} AND size > 0 ORDER BY position LIMIT 64`,
      id,
    );
    let last = 0;
    for (let left = bytes, index = 0; left > 0 && index < oldest.length; index++) {
      const { position, size } = oldest[index] as Stored;
      last = position;
      left -= size;
    }
    if (oldest.length === 0) continue;
    return connection.all<Evicted>(
      `DELETE FROM tidings_entries WHERE channel = ? AND dead = ${dead} AND size > 0 AND position <= ?
       RETURNING position, kind, size, dead`,
      id,
      last,
    );
  }
  return [];
}

/** Deletes expired channels. A large channel takes several steps. */
export function deleteExpired(connection: Connection, hub: HubRow, now: number): boolean {
  const due = connection.all<ChannelRow>(
    `SELECT * FROM tidings_channels WHERE due <= ? ORDER BY due LIMIT ${MAX_EXPIRED}`,
    now,
  );
  for (const row of due) {
    const deleted = [1, 0].flatMap(dead =>
      connection.all<Stored>(
        `DELETE FROM tidings_entries WHERE position IN (
           SELECT position FROM tidings_entries WHERE channel = ? AND dead = ${dead} ORDER BY position LIMIT ${STEP}
         ) RETURNING position, size`,
        row.id,
      ),
    );
    account(hub, row, deleted);
    if (deleted.length >= STEP) {
      clearChannel(row, row.last);
      saveChannel(connection, row);
    } else {
      connection.run('DELETE FROM tidings_channels WHERE id = ?', row.id);
      hub.forgotten = Math.max(hub.forgotten, row.last);
    }
  }
  return due.length > 0;
}

function account(hub: HubRow, row: ChannelRow, deleted: readonly Stored[]): void {
  for (const { position, size } of deleted) {
    row.stored -= size;
    hub.bytes -= size;
    row.deleted = Math.max(row.deleted, position);
    hub.swept = Math.max(hub.swept, position);
  }
}
