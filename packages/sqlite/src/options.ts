import { TidingsError } from '@tidings/core';
import type { SqliteDatabase } from './file/driver.ts';

/** The options of `sqliteBroker()`. */
export interface SqliteBrokerOptions {
  /**
   * The path of the file. The broker creates the file if it does not exist; its folder must exist. Hubs with the same
   * file are one hub. SQLite has two more files next to it, `-wal` and `-shm`. All processes must run on one machine,
   * and the file must not be on a network file system.
   */
  file?: string | undefined;
  /**
   * Instead of a path: an open database of `node:sqlite` (`DatabaseSync`), `libsql` or `better-sqlite3`, which has a
   * file. The broker uses the same driver and file, with a connection of its own. The names of its tables begin with
   * `tidings_`. Pass a database if the application opens the same file: two drivers in one process break the locks of a
   * file.
   */
  database?: SqliteDatabase | undefined;
  /**
   * - `normal` (default): accepted events survive a crash of the process. A power failure may lose the last events;
   *   clients that had received them receive a `reset`.
   * - `full`: accepted events survive a power failure, too. Each batch waits for the disk, and blocks the event loop
   *   meanwhile.
   */
  synchronous?: 'normal' | 'full' | undefined;
  /**
   * Maximum size of all histories together, in bytes, with 256 bytes for each event in addition to its data. Above it,
   * the broker evicts first from the channel that was published to least recently. Default: 268,435,456 (256 MiB).
   */
  maxBytes?: number | undefined;
}

/** {@link SqliteBrokerOptions} with every default filled in. */
export interface SqliteBrokerSettings {
  source: string | SqliteDatabase;
  synchronous: 'normal' | 'full';
  maxBytes: number;
}

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readOptions(options: SqliteBrokerOptions): SqliteBrokerSettings {
  const { file, database, synchronous = 'normal', maxBytes = 256 * 1024 * 1024 } = options;
  const source = file ?? database;
  if (source === undefined || (file !== undefined && database !== undefined)) {
    throw invalid('sqliteBroker() needs either `file` or `database`, and not both');
  }
  if (file !== undefined && (typeof file !== 'string' || file === '')) {
    throw invalid(`file must be a path, as a string; got ${show(file)}`);
  }
  if (file === ':memory:' || file?.startsWith('file:')) {
    throw invalid(
      `file must be the path of a file on disk; got ${show(file)}. Without a broker, a hub stores its log in memory.`,
    );
  }
  if (database !== undefined && (typeof database.prepare !== 'function' || !hasFunction(database, 'exec'))) {
    throw invalid(
      'database must be a DatabaseSync of node:sqlite, or a database of libsql or better-sqlite3',
    );
  }
  if (synchronous !== 'normal' && synchronous !== 'full') {
    throw invalid(`synchronous must be 'normal' or 'full'; got ${show(synchronous)}`);
  }
  if (typeof maxBytes !== 'number' || !(maxBytes >= MIN_BYTES)) {
    throw invalid(`maxBytes must be a number of bytes, ${MIN_BYTES} or more; got ${show(maxBytes)}`);
  }
  return { source, synchronous, maxBytes };
}

const MIN_BYTES = 64 * 1024;

function hasFunction(value: object, name: string): boolean {
  return typeof (value as Record<string, unknown>)[name] === 'function';
}

/** Formats a value for an error message: strings in quotes, objects and functions by their type. */
function show(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value)
    : typeof value === 'number'
      ? String(value)
      : typeof value;
}

function invalid(message: string): TidingsError {
  return new TidingsError('invalid-option', message);
}
