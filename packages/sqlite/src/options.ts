import { TidingsError } from '@tidings/core';
import type { SqliteDatabase } from './file/driver.ts';

export interface SqliteBrokerOptions {
  /**
   * The path of the file. It is created if it does not exist; its folder has to exist. Hubs on the same file are one
   * hub. SQLite keeps two more files beside it, `-wal` and `-shm`. All processes run on one machine: the file must not
   * be on a network file system.
   */
  file?: string | undefined;
  /**
   * Instead of a path: an open database of `node:sqlite` (`DatabaseSync`), `libsql` or `better-sqlite3`, which has a
   * file. It only tells the broker which driver and which file to use: the broker makes a connection of its own, and
   * its tables begin with `tidings_`. Pass it if the application opens the same file: two drivers in one process break
   * the locks of a file.
   */
  database?: SqliteDatabase | undefined;
  /**
   * - `normal` (default): what is accepted survives a crash of the process. A power failure may lose the last events;
   *   clients that had received them get a `reset`.
   * - `full`: what is accepted survives a power failure, too. Each batch waits for the disk, and blocks the event loop
   *   meanwhile.
   */
  synchronous?: 'normal' | 'full' | undefined;
  /**
   * Bytes that all histories may take together, with 256 for each event in addition to its data. Beyond it the history
   * of the channel that was published to least recently is evicted first. Default: 268,435,456 (256 MiB).
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
    throw invalid('sqliteBroker needs either `file` or `database`');
  }
  if (file !== undefined && (typeof file !== 'string' || file === '')) {
    throw invalid('file must be a path, as a string');
  }
  if (file === ':memory:' || file?.startsWith('file:')) {
    throw invalid(
      'file must be the path of a file on disk: without a broker, a hub stores its log in memory',
    );
  }
  if (database !== undefined && (typeof database.prepare !== 'function' || !hasFunction(database, 'exec'))) {
    throw invalid(
      'database must be a DatabaseSync of node:sqlite, or a database of libsql or better-sqlite3',
    );
  }
  if (synchronous !== 'normal' && synchronous !== 'full') {
    throw invalid("synchronous must be 'normal' or 'full'");
  }
  if (typeof maxBytes !== 'number' || !(maxBytes >= MIN_BYTES)) {
    throw invalid(`maxBytes must be a number of bytes, ${MIN_BYTES} or more`);
  }
  return { source, synchronous, maxBytes };
}

const MIN_BYTES = 64 * 1024;

function hasFunction(value: object, name: string): boolean {
  return typeof (value as Record<string, unknown>)[name] === 'function';
}

function invalid(message: string): TidingsError {
  return new TidingsError('invalid-option', message);
}
