import type { LeaseChange } from '@tidings/core';
import type { Connection } from './file/connection.ts';
import { decodeText, encodeText } from './log/format.ts';

/**
 * The tables of leases, which are not part of the log. The first call creates them: a hub without `presence` needs
 * none.
 *
 * - `tidings_owners`: when the lease of an owner expires, in ms since 1970.
 * - `tidings_held`: a row for each key that an owner holds. A key is present while it has a row.
 */
const TABLES = `
CREATE TABLE IF NOT EXISTS tidings_owners (
  lease TEXT NOT NULL, owner TEXT NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (lease, owner)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tidings_held (
  lease TEXT NOT NULL, key TEXT NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (lease, key, owner)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tidings_held_by ON tidings_held (lease, owner);
`;

export interface LeaseResult {
  /** Keys that were free before and are held now. */
  came: string[];
  /** Keys that were held before and are free now. */
  left: string[];
}

/** Changes and renews the keys that an owner holds in a lease set, in a write transaction. */
export function changeLease(
  connection: Connection,
  set: string,
  { owner, hold, release, ttl }: LeaseChange,
): LeaseResult {
  connection.exec(TABLES);
  const lease = encodeText(set);
  const now = Date.now();
  const isHeld = (key: string) =>
    connection.get('SELECT 1 FROM tidings_held WHERE lease = ? AND key = ? LIMIT 1', lease, key) !==
    undefined;
  const expired = connection.all<{ key: string; owner: string }>(
    'SELECT key, owner FROM tidings_held WHERE lease = ? AND owner IN ' +
      '(SELECT owner FROM tidings_owners WHERE lease = ? AND expires <= ?)',
    lease,
    lease,
    now,
  );
  const touched = new Set([...expired.map(({ key }) => key), ...[...release, ...hold].map(encodeText)]);
  const before = new Set([...touched].filter(isHeld));
  if (expired.length > 0) {
    connection.run(
      'DELETE FROM tidings_held WHERE lease = ? AND owner IN ' +
        '(SELECT owner FROM tidings_owners WHERE lease = ? AND expires <= ?)',
      lease,
      lease,
      now,
    );
  }
  connection.run('DELETE FROM tidings_owners WHERE lease = ? AND expires <= ?', lease, now);
  for (const key of release) {
    const sql = 'DELETE FROM tidings_held WHERE lease = ? AND key = ? AND owner = ?';
    connection.run(sql, lease, encodeText(key), owner);
  }
  for (const key of hold) {
    connection.run('INSERT OR IGNORE INTO tidings_held VALUES (?, ?, ?)', lease, encodeText(key), owner);
  }
  connection.run(
    'INSERT OR REPLACE INTO tidings_owners VALUES (?, ?, ?)',
    lease,
    owner,
    now + Math.ceil(ttl),
  );
  const after = new Set([...touched].filter(isHeld));
  return {
    came: [...after].filter(key => !before.has(key)).map(decodeText),
    left: [...before].filter(key => !after.has(key)).map(decodeText),
  };
}
