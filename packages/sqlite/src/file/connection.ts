import { rmSync, statSync } from 'node:fs';
import { CommitFailed, LogChanged } from '../errors.ts';
import type { Driver, SqliteDatabase, SqliteStatement, SqlValue } from './driver.ts';

/**
 * ms that SQLite itself waits for a lock: it blocks the event loop meanwhile. Whoever needs the lock waits longer by
 * trying again, see `retryWhileBusy`.
 */
const BUSY_TIMEOUT = 2;

/** Bytes to which the write-ahead log is truncated after a checkpoint. */
const MAX_WAL_BYTES = 16 * 1024 * 1024;

/**
 * Pages in the write-ahead log that cause a checkpoint. It blocks the process that commits, for several ms or more. By
 * default it comes after 1,000 pages: at 1,000 publishes a second, one commit in 100 has to wait for it.
 */
const CHECKPOINT_PAGES = MAX_WAL_BYTES / 4096;

/** What SQLite adds to the path: the file itself, its write-ahead log, and the index of that in shared memory. */
const FILES = ['', '-wal', '-shm'];

/** An open file: prepared statements, and transactions. It is used until the file is replaced, or cannot be read. */
export class Connection {
  readonly #database: SqliteDatabase;
  readonly #file: string;
  /** Of the file, its write-ahead log and its shared memory. */
  readonly #ids: readonly string[];
  readonly #statements = new Map<string, SqliteStatement>();
  #dataVersion: number | undefined;
  #isOpen = true;

  constructor(driver: Driver, synchronous: 'normal' | 'full') {
    this.#database = driver.open();
    this.#file = driver.file;
    try {
      this.#database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
      // Has to come before the first table, and before the write-ahead log.
      this.#database.exec('PRAGMA auto_vacuum = INCREMENTAL');
      this.get('PRAGMA journal_mode = WAL');
      this.#database.exec(`PRAGMA synchronous = ${synchronous}`);
      this.get(`PRAGMA journal_size_limit = ${MAX_WAL_BYTES}`);
      this.get(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
      // Reads the file: what is no database fails here.
      this.get('SELECT count(*) FROM sqlite_master');
    } catch (error) {
      this.#database.close();
      throw error;
    }
    this.#ids = FILES.map(suffix => identify(this.#file + suffix).id);
  }

  /**
   * Whether the path names another file now, or the file was emptied. Also if that holds for one of the two files beside
   * it: the next process makes new ones, and neither would see what the other writes.
   */
  get isReplaced(): boolean {
    return FILES.some((suffix, index) => {
      const { id, isEmpty } = identify(this.#file + suffix);
      return (suffix === '' && isEmpty) || (this.#ids[index] !== '' && id !== this.#ids[index]);
    });
  }

  /**
   * Removes the file if it was emptied in place. Its write-ahead log has the latest pages of what was in it: they would
   * be written back to it, and be a damaged database. Call it before `close`, which does that.
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
   * The caller states the columns. Not by `get` of the driver: libsql leaves a statement open that has more rows.
   *
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

  /** Runs in one transaction, synchronously. Nothing in it may call back the hub, which could begin another one. */
  transaction<Result>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', run: () => Result): Result {
    // Not as prepared statements: in libsql, one that fails because of a lock stays open, and no commit succeeds.
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
      // The file is gone or damaged: there is nothing to write back.
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
      // SQLite has rolled back by itself, as it does after some errors.
    }
  }
}

/** What distinguishes a file from another one of the same path. '': there is none. */
function identify(file: string): { id: string; isEmpty: boolean } {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined
    ? { id: '', isEmpty: true }
    : { id: `${stats.dev}:${stats.ino}`, isEmpty: stats.size === 0 };
}
