import type { SqliteDatabase } from '@tidings/sqlite';

export interface TestDriver {
  name: string;
  open(file: string): SqliteDatabase;
}

const found: TestDriver[] = [];
for (const [name, exported] of [
  ['node:sqlite', 'DatabaseSync'],
  ['libsql', 'default'],
  ['better-sqlite3', 'default'],
] as const) {
  // better-sqlite3 13 ends the process on Node.js 20.
  if (name !== 'libsql' && Number.parseInt(process.versions.node, 10) < 22) continue;
  const module = (await import(name)) as Record<string, new (file: string) => SqliteDatabase>;
  const Database = module[exported];
  if (Database !== undefined) found.push({ name, open: file => new Database(file) });
}

/** The drivers that run on this version of Node.js. There is always one. */
export const drivers: readonly TestDriver[] = found;
