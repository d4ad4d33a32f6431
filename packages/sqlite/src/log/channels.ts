import type { Connection } from '../file/connection.ts';
import type { SqlValue } from '../file/driver.ts';
import type { ChannelRow } from '../file/schema.ts';
import { encodeText } from './format.ts';

export function findChannel(connection: Connection, name: string): ChannelRow | undefined {
  return connection.get<ChannelRow>('SELECT * FROM tidings_channels WHERE name = ?', encodeText(name));
}

/** @param forgotten the position up to which a deleted channel with this name may have had entries. */
export function createChannel(connection: Connection, name: string, forgotten: number): ChannelRow {
  const counts =
    'last, trimmed, cleared, superseded, count, bytes, garbage, stored, deleted, age, compact, due, used';
  return connection.get<ChannelRow>(
    `INSERT INTO tidings_channels (name, ${counts}) VALUES (?, 0, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) RETURNING *`,
    encodeText(name),
    forgotten,
    forgotten,
  ) as ChannelRow;
}

const COLUMNS = [
  'last',
  'trimmed',
  'cleared',
  'superseded',
  'ended',
  'begun',
  'count',
  'bytes',
  'garbage',
  'stored',
  'deleted',
  'age',
  'compact',
  'due',
  'used',
] as const satisfies readonly (keyof ChannelRow)[];

const UPDATE = `UPDATE tidings_channels SET ${COLUMNS.map(name => `${name} = ?`).join(', ')} WHERE id = ?`;

export function saveChannel(connection: Connection, row: ChannelRow): void {
  const values = COLUMNS.map((name): SqlValue => row[name]);
  connection.run(UPDATE, ...values, row.id);
}

/** Turns all entries up to a position into garbage. @param upTo not after the channel's newest position. */
export function clearChannel(row: ChannelRow, upTo: number): void {
  const marks = [row.begun, row.ended].filter(mark => mark !== null && mark > row.cleared && mark <= upTo);
  row.garbage += row.count + marks.length;
  row.cleared = upTo;
  row.trimmed = Math.max(row.trimmed, upTo);
  row.count = row.bytes = 0;
}
