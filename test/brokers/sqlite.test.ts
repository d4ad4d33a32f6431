import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SqliteDatabase, sqliteBroker } from '@tidings/sqlite';
import { afterAll } from 'vitest';
import { brokerContract } from './contract.ts';
import { type Breaks, densePositions } from './dense-positions.ts';
import { drivers } from './sqlite-drivers.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidings-sqlite-'));
const databases = new Map<string, SqliteDatabase>();
afterAll(() => {
  for (const database of databases.values()) database.close();
  rmSync(folder, { recursive: true });
});

for (const { name, open } of drivers) {
  const breaks = new Map<string, Breaks>();
  brokerContract({
    name,
    broker(log) {
      const file = join(folder, `${name.replace(':', '-')}-${log}.db`);
      const database = databases.get(file) ?? open(file);
      databases.set(file, database);
      const list = breaks.get(log) ?? [];
      breaks.set(log, list);
      return densePositions(sqliteBroker({ database }), list);
    },
  });
}
