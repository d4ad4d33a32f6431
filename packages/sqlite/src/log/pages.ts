import type { Page, Position, ReadFrom } from '@tidings/core';
import type { Connection } from '../file/connection.ts';
import type { ChannelRow, HubRow } from '../file/schema.ts';
import { findChannel } from './channels.ts';
import { decodeEntry, ENTRY_COLUMNS, type EntryRow, KIND } from './format.ts';

/** Approximate limits on all pages of one call together. */
export interface PageBudget {
  entries: number;
  bytes: number;
}

/** Reads one page of a channel, in a read transaction. Subtracts the page from the budget. */
export function readPage(
  connection: Connection,
  hub: HubRow,
  { name, from, until }: { name: string; from: ReadFrom; until: Position },
  budget: PageBudget,
): Page {
  const row = findChannel(connection, name);
  if (row === undefined) {
    const after = typeof from === 'number' ? Math.min(from, until) : 0;
    return { entries: [], trimmedUpTo: Math.max(hub.forgotten, after), more: false };
  }
  const range = retainedRange(connection, row);
  const after = Math.min(
    until,
    typeof from === 'number' ? from : positionBefore(connection, row, range, from.last, until),
  );
  const read = { row, after: Math.max(after, range.after), until, agedUpTo: range.tombstonesUpTo };
  const rows = readRows(connection, read, budget);
  return {
    entries: rows.entries.map(entry => decodeEntry(name, entry)),
    trimmedUpTo: Math.max(range.trimmedUpTo, after),
    more: rows.more,
    last: Math.min(row.last, until),
    supersededUpTo: row.superseded > range.after ? row.superseded : undefined,
    endedAt: row.ended !== null && row.ended <= until ? row.ended : undefined,
  };
}

interface RetainedRange {
  /** No entry up to this position is retained. */
  after: Position;
  trimmedUpTo: Position;
  /** ms since 1970: tombstones of this time or earlier are not retained. 0 without compaction. */
  tombstonesUpTo: number;
}

/**
 * The range that is retained now. It excludes entries that are too old, but will be trimmed only at the next publish.
 */
function retainedRange(connection: Connection, row: ChannelRow): RetainedRange {
  const { id, cleared, trimmed, compact } = row;
  const upTo = Date.now() - row.age;
  if (compact === 1) {
    const newest = newestPosition(
      connection,
      `channel = ? AND position > ? AND at <= ? AND kind = ${KIND.gone} AND tag IS NOT NULL`,
      [id, cleared, upTo],
    );
    return { after: cleared, trimmedUpTo: Math.max(trimmed, newest), tombstonesUpTo: upTo };
  }
  const oldest = connection.get<{ at: number }>(
    `SELECT at FROM tidings_entries WHERE channel = ? AND position > ? AND dead = 0 AND size > 0 ORDER BY position LIMIT 1`,
    id,
    cleared,
  );
  // The usual case: no entry is too old. Detected without a scan.
  if (oldest === undefined || oldest.at > upTo)
    return { after: cleared, trimmedUpTo: trimmed, tombstonesUpTo: 0 };
  const aged = newestPosition(
    connection,
    'channel = ? AND position > ? AND dead = 0 AND at <= ? AND size > 0',
    [id, cleared, upTo],
  );
  return { after: Math.max(cleared, aged), trimmedUpTo: Math.max(trimmed, aged), tombstonesUpTo: 0 };
}

function newestPosition(connection: Connection, where: string, parameters: number[]): Position {
  const sql = `SELECT position FROM tidings_entries WHERE ${where} ORDER BY position DESC LIMIT 1`;
  return connection.get<{ position: number }>(sql, ...parameters)?.position ?? 0;
}

/** The position before the last `count` events; 0 if there are no earlier ones. */
function positionBefore(
  connection: Connection,
  row: ChannelRow,
  range: RetainedRange,
  count: number,
  until: Position,
): Position {
  const before = connection.get<{ position: number }>(
    `SELECT position FROM tidings_entries
     WHERE channel = ? AND position > ? AND position <= ? AND dead = 0 AND size > 0
       AND (tag IS NULL OR kind <> ${KIND.gone} OR at > ?)
     ORDER BY position DESC LIMIT 1 OFFSET ?`,
    row.id,
    range.after,
    until,
    range.tombstonesUpTo,
    Math.min(Math.floor(count), 1e9),
  );
  return before?.position ?? 0;
}

interface RowsRead {
  row: ChannelRow;
  after: Position;
  until: Position;
  agedUpTo: number;
}

function readRows(
  connection: Connection,
  { row, after, until, agedUpTo }: RowsRead,
  budget: PageBudget,
): { entries: EntryRow[]; more: boolean } {
  const select = (columns: string) => `
    SELECT position, ${columns} FROM tidings_entries
    WHERE channel = ? AND position > ? AND position <= ? AND dead = 0
      AND (tag IS NULL OR kind <> ${KIND.gone} OR at > ?)
    ORDER BY position LIMIT ?`;
  // At least one entry, so that reading page by page makes progress.
  const limit = Math.max(1, budget.entries);
  let end = until;
  let more = false;
  if (row.count > limit || row.bytes > budget.bytes) {
    // Sizes first: SQLite does not read the data for them.
    const sizes = connection.all<{ position: number; size: number }>(
      select('size'),
      row.id,
      after,
      until,
      agedUpTo,
      limit + 1,
    );
    let count = 0;
    for (let bytes = 0; count < Math.min(sizes.length, limit); count++) {
      bytes += sizes[count]?.size ?? 0;
      if (count > 0 && bytes > budget.bytes) break;
    }
    more = count < sizes.length;
    end = sizes[count - 1]?.position ?? until;
  }
  const entries = connection.all<EntryRow & { size: number }>(
    select(`size, ${ENTRY_COLUMNS}`),
    row.id,
    after,
    end,
    agedUpTo,
    // An end and a begin do not count as events.
    limit + 2,
  );
  budget.entries -= entries.length;
  for (const { size } of entries) budget.bytes -= size;
  return { entries, more };
}
