import { randomBytes } from 'node:crypto';
import { TidingsError } from '@tidings/core';
import { LogChanged } from '../errors.ts';
import type { Connection } from './connection.ts';
import { type HubRow, MAX_BREAKS, SCHEMA, SCHEMA_VERSION, TABLES } from './schema.ts';

/** How far a start moves the position if the clock is behind the position. */
const JUMP = 2 ** 32;

/**
 * Creates the tables, unless all of them exist. If one is missing, the contents of the others are invalid, and all are
 * created again.
 *
 * @returns the hub's row. Undefined: the tables are new.
 */
export function createTables(connection: Connection): HubRow | undefined {
  const names = connection.all<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'tidings\\_%' ESCAPE '\\'",
  );
  const isComplete = TABLES.every(table => names.some(({ name }) => name === table));
  // Another version may have other tables.
  const hub = names.some(({ name }) => name === 'tidings_hub') ? findHub(connection) : undefined;
  if (hub !== undefined && isComplete) return hub;
  for (const table of TABLES) connection.exec(`DROP TABLE IF EXISTS ${table}`);
  connection.exec(SCHEMA);
  return undefined;
}

/** @throws {LogChanged} the hub's row was deleted. */
export function readHub(connection: Connection): HubRow {
  const hub = findHub(connection);
  if (hub === undefined) throw new LogChanged('the tables are empty');
  return hub;
}

function findHub(connection: Connection): HubRow | undefined {
  const hub = connection.get<HubRow>('SELECT * FROM tidings_hub WHERE id = 1');
  if (hub === undefined || hub.version === SCHEMA_VERSION) return hub;
  const [which, what] =
    hub.version > SCHEMA_VERSION
      ? ['a newer', 'update @tidings/sqlite in every process']
      : ['an older', 'stop the processes that use it'];
  const message = `the tables tidings_* were written by ${which} version of @tidings/sqlite: ${what}, or use another file`;
  throw new TidingsError('broker', message);
}

export function createHub(connection: Connection): HubRow {
  const counts = { head: 0, broken: 0, bytes: 0, forgotten: 0, swept: 0 };
  const hub: HubRow = { version: SCHEMA_VERSION, epoch: createEpoch(), ...counts };
  connection.run('INSERT INTO tidings_hub VALUES (1, ?, ?, 0, 0, 0, 0, 0)', hub.version, hub.epoch);
  return hub;
}

export function saveHub(
  connection: Connection,
  { epoch, head, broken, bytes, forgotten, swept }: HubRow,
): void {
  const sql = 'UPDATE tidings_hub SET epoch = ?, head = ?, broken = ?, bytes = ?, forgotten = ?, swept = ?';
  connection.run(sql, epoch, head, broken, bytes, forgotten, swept);
}

/** Moves the position to the clock. Positions in between are never assigned, and are stored as a break. */
export function movePosition(connection: Connection, hub: HubRow): HubRow {
  const now = Date.now() * 1_000;
  const before = now > hub.head ? now : hub.head + JUMP;
  connection.run('INSERT OR REPLACE INTO tidings_breaks VALUES (?, ?)', hub.head, before);
  const { count = 0 } =
    connection.get<{ count: number }>('SELECT count(*) AS count FROM tidings_breaks') ?? {};
  if (count > MAX_BREAKS) mergeOldest(connection);
  const moved = { ...hub, head: before, broken: before };
  saveHub(connection, moved);
  return moved;
}

/** Merges the two oldest breaks and the positions between them: this resets more clients than needed, never fewer. */
function mergeOldest(connection: Connection): void {
  const oldest = 'SELECT after_position FROM tidings_breaks ORDER BY after_position LIMIT 1';
  const [, second] = connection.all<{ after_position: number; before_position: number }>(
    'SELECT * FROM tidings_breaks ORDER BY after_position LIMIT 2',
  );
  if (second === undefined) return;
  connection.run(
    `UPDATE tidings_breaks SET before_position = ? WHERE after_position = (${oldest})`,
    second.before_position,
  );
  connection.run('DELETE FROM tidings_breaks WHERE after_position = ?', second.after_position);
}

/** Gives the stored entries a new epoch, because their positions may differ from those that clients have received. */
export function renewEpoch(connection: Connection, hub: HubRow): HubRow {
  connection.run('DELETE FROM tidings_breaks');
  const renewed = { ...hub, epoch: createEpoch(), broken: 0 };
  saveHub(connection, renewed);
  return renewed;
}

function createEpoch(): string {
  return BigInt(`0x${randomBytes(9).toString('hex')}`).toString(36);
}
