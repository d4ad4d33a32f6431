/// <reference path="./drivers.d.ts" />
import { resolve } from 'node:path';
import { TidingsError } from '@tidings/core';

/** A parameter or a column of a statement. */
export type SqlValue = string | number | null;

/** The methods of a prepared statement that the broker uses. */
export interface SqliteStatement {
  all(...parameters: SqlValue[]): unknown[];
  get(...parameters: SqlValue[]): unknown;
  run(...parameters: SqlValue[]): unknown;
}

/** The methods of a database that the broker uses. `node:sqlite`, `libsql` and `better-sqlite3` have them in common. */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
  close(): unknown;
}

type DatabaseClass = new (file: string) => SqliteDatabase;

/** Opens a file with one of the supported packages. */
export interface Driver {
  /** An absolute path. */
  readonly file: string;
  open(): SqliteDatabase;
}

/** @throws {TidingsError} `broker`: no driver is installed. */
export async function loadDriver(source: string | SqliteDatabase): Promise<Driver> {
  if (typeof source !== 'string') return driverOf(source);
  const file = resolve(source);
  const causes: unknown[] = [];
  for (const importDriver of [importNodeSqlite, importLibsql, importBetterSqlite3]) {
    const Database = await importDriver(causes);
    if (Database !== undefined) return { file, open: () => new Database(file) };
  }
  const needs = 'Node.js 22.13 or newer (node:sqlite), or the package libsql or better-sqlite3';
  throw new TidingsError('broker', `@tidings/sqlite found no SQLite driver: it needs ${needs}`, {
    cause: new AggregateError(causes, 'none of node:sqlite, libsql and better-sqlite3 could be loaded'),
  });
}

// Bundlers accept a missing package only if its `import()` is inside `try`.

async function importNodeSqlite(causes: unknown[]): Promise<DatabaseClass | undefined> {
  try {
    return (await import('node:sqlite')).DatabaseSync;
  } catch (cause) {
    causes.push(cause);
    return undefined;
  }
}

async function importLibsql(causes: unknown[]): Promise<DatabaseClass | undefined> {
  try {
    return (await import('libsql')).default;
  } catch (cause) {
    causes.push(cause);
    return undefined;
  }
}

async function importBetterSqlite3(causes: unknown[]): Promise<DatabaseClass | undefined> {
  try {
    return (await import('better-sqlite3')).default;
  } catch (cause) {
    causes.push(cause);
    return undefined;
  }
}

function driverOf(database: SqliteDatabase): Driver {
  const [main] = database.prepare('PRAGMA database_list').all() as [{ file: string | null }];
  const { file } = main;
  if (file === null || file === '') {
    throw new TidingsError(
      'invalid-option',
      'database must have a file, because an in-memory database loses the log when the process ends',
    );
  }
  const Database = database.constructor as DatabaseClass;
  return { file, open: () => new Database(file) };
}
