import { rmSync, statSync } from 'node:fs';
import { CommitFailed, LogChanged } from '../errors.ts';
import type { Driver, SqliteDatabase, SqliteStatement, SqlValue } from './driver.ts';

/**
 * ms that SQLite itself waits for a lock, which blocks the event loop. For longer waits, callers try again: see
 * `retryWhileBusy`.
 */
const BUSY_TIMEOUT = 2;

/** Bytes to which the write-ahead log is truncated after a checkpoint. */
const MAX_WAL_BYTES = 16 * 1024 * 1024;

/**
 * Number of pages in the write-ahead log that causes a checkpoint. The checkpoint blocks the committing process for
 * several ms or more. SQLite's default is 1,000 pages: at 1,000 publishes per second, one commit in 100 would wait for
 * it.
 */
const CHECKPOINT_PAGES = MAX_WAL_BYTES / 4096;

/** The suffixes of SQLite's files: the file itself, its write-ahead log, and the shared-memory index of that log. */
const FILES = ['', '-wal', '-shm'];

/** An open file with prepared statements and transactions. Used until the file is replaced or cannot be read. */
export class Connection {
  readonly #database: SqliteDatabase;
  readonly #file: string;
  /** Identify the three files, in the order of {@link FILES}. */
  readonly #ids: readonly string[];
  readonly #statements = new Map<string, SqliteStatement>();
  #dataVersion: number | undefined;
  #isOpen = true;

  constructor(driver: Driver, synchronous: 'normal' | 'full') {
    this.#database = driver.open();
    this.#file = driver.file;
    try {
      this.#database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
      // Must be set before the first table and the write-ahead log are created.
      this.#database.exec('PRAGMA auto_vacuum = INCREMENTAL');
      this.get('PRAGMA journal_mode = WAL');
      this.#database.exec(`PRAGMA synchronous = ${synchronous}`);
      this.get(`PRAGMA journal_size_limit = ${MAX_WAL_BYTES}`);
      this.get(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
      // Reads the file. Fails if the file is not a database.
      this.get('SELECT count(*) FROM sqlite_master');
    } catch (error) {
      this.#database.close();
      throw error;
    }
    this.#ids = FILES.map(suffix => identify(this.#file + suffix).id);
  }

  /**
   * Whether the path now leads to another file, or the file was emptied. Also true if the write-ahead log or the
   * shared-memory file was replaced or deleted: the next process creates new ones, and neither process would see what
   * the other writes.
   */
  get isReplaced(): boolean {
    return FILES.some((suffix, index) => {
      const { id, isEmpty } = identify(this.#file + suffix);
      return (suffix === '' && isEmpty) || (this.#ids[index] !== '' && id !== this.#ids[index]);
    });
  }

  /**
   * Removes the file if it was emptied in place. Call it before `close`: its write-ahead log still has the latest pages
   * of the old contents. `close` would write them back to the file, which would then be a damaged database.
   */
  removeIfEmptied(): void {
    const { id, isEmpty } = identify(this.#file);
    if (id !== this.#ids[0] || !isEmpty) return;
    for (const suffix of FILES) rmSync(this.#file + suffix, { force: true });
  }

  /** Whether another connection has changed the file since this was last called. */
  hasForeignChange(): boolean {
    const { data_version: version } = this.get<{ data_version: number }>('PRAGMA data_version') ?? {};
    if (version === this.#dataVersion) return false;
    this.#dataVersion = version;
    return true;
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  /**
   * Does not use `get` of the driver: if there are more rows, libsql leaves the statement open.
   *
   * @typeParam Row the columns of the query.
   * @returns the first row.
   */
  get<Row>(sql: string, ...parameters: SqlValue[]): Row | undefined {
    return this.all<Row>(sql, ...parameters)[0];
  }

  all<Row>(sql: string, ...parameters: SqlValue[]): Row[] {
    return this.#prepare(sql).all(...parameters) as Row[];
  }

  run(sql: string, ...parameters: SqlValue[]): void {
    this.#prepare(sql).run(...parameters);
  }

  /**
   * Runs a function in one transaction, synchronously. It must not call the hub, which could begin another transaction.
   */
  transaction<Result>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', run: () => Result): Result {
    // Not a prepared statement: in libsql, a statement that fails because of a lock stays open, and no commit succeeds.
    this.exec(begin);
    let isCommitting = false;
    try {
      if (this.isReplaced) throw new LogChanged('the file was replaced');
      const result = run();
      isCommitting = true;
      this.exec('COMMIT');
      return result;
    } catch (error) {
      this.#rollBack();
      throw isCommitting ? new CommitFailed(error) : error;
    }
  }

  /** Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#statements.clear();
    try {
      this.#database.close();
    } catch {
      // The file was deleted or is damaged, so it cannot be written anyway.
    }
  }

  #prepare(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK');
    } catch {
      // After some errors, SQLite has already rolled back.
    }
  }
}

/** Returns an id that distinguishes a file from another one at the same path. '': there is no file. */
function identify(file: string): { id: string; isEmpty: boolean } {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined
    ? { id: '', isEmpty: true }
    : { id: `${stats.dev}:${stats.ino}`, isEmpty: stats.size === 0 };
}
