import { type LogHead, type Position, TidingsError } from '@tidings/core';
import { isBusy, isTableMissing, LogChanged, resultCode } from '../errors.ts';
import { Connection } from './connection.ts';
import type { Driver } from './driver.ts';
import { createHub, createTables, movePosition, readHub, renewEpoch, saveHub } from './hub.ts';
import type { HubRow } from './schema.ts';

/** Changes that any call may detect. The callbacks run before the call returns, and outside of its transaction. */
export interface StoreEvents {
  /** The log has restarted in a new epoch. */
  restarted(epoch: string, head: Position): void;
  broken(after: Position, before: Position): void;
  /** The file can be used again, or cannot be read any more (with the cause). */
  connection(isConnected: boolean, cause?: unknown): void;
}

/** Errors of writing only: stored entries can still be read. */
const WRITE_ERRORS = new Set(['FULL', 'READONLY']);

/**
 * Runs transactions on the file, and tracks epoch, head and breaks of the log.
 *
 * A power failure or a restored backup may remove the latest data from the file without a trace. So each start of a
 * process moves the position to the clock, in µs. Positions in between may have been assigned to lost entries, and
 * become a break. If the loss is visible, the log gets a new epoch: the file was replaced or emptied, a table is
 * missing, or the head is older than this process knows.
 *
 * Every method throws the errors of SQLite. If another process holds the lock, the caller tries again.
 */
export class Store {
  /** '': not started. */
  epoch = '';
  /** The newest position of this epoch that this process knows. */
  knownHead: Position = 0;
  readonly #driver: Driver;
  readonly #synchronous: 'normal' | 'full';
  readonly #events: StoreEvents;
  #connection: Connection | undefined;
  #isConnected = false;
  #isClosed = false;
  /** The log has changed: see {@link LogChanged}. */
  #mustRestart = false;
  /** The file was replaced, so that the log needs a new epoch even if the file has the same epoch. */
  #isReplaced = false;
  #lastBreak: Position = 0;

  constructor(driver: Driver, synchronous: 'normal' | 'full', events: StoreEvents) {
    this.#driver = driver;
    this.#synchronous = synchronous;
    this.#events = events;
  }

  /** Creates the tables if they are missing. Otherwise moves the position. */
  start(): LogHead {
    const connection = this.#connect();
    const hub = connection.transaction('BEGIN IMMEDIATE', () => {
      const stored = createTables(connection);
      return stored === undefined ? createHub(connection) : movePosition(connection, stored);
    });
    this.#enter(connection, hub);
    this.#succeed();
    return { epoch: hub.epoch, head: hub.head };
  }

  /** Runs a function in a read transaction, so that all its reads see the same state. */
  read<Result>(run: (connection: Connection, hub: HubRow) => Result): Result {
    return this.#run('BEGIN', run);
  }

  /** Runs a function in a write transaction. Its changes of `hub` are stored. */
  write<Result>(run: (connection: Connection, hub: HubRow) => Result): Result {
    return this.#run('BEGIN IMMEDIATE', (connection, hub) => {
      const result = run(connection, hub);
      saveHub(connection, hub);
      return result;
    });
  }

  /** Runs a function outside of a transaction. Returns undefined while the file cannot be used. */
  peek<Result>(run: (connection: Connection) => Result): Result | undefined {
    return this.#connection === undefined ? undefined : run(this.#connection);
  }

  close(): void {
    this.#isClosed = true;
    this.#connection?.close();
    this.#connection = undefined;
  }

  #run<Result>(
    begin: 'BEGIN' | 'BEGIN IMMEDIATE',
    run: (connection: Connection, hub: HubRow) => Result,
  ): Result {
    for (let attempt = 1; ; attempt++) {
      try {
        return this.#attempt(begin, run);
      } catch (error) {
        const isChanged = error instanceof LogChanged || isTableMissing(error);
        if (!isChanged || attempt === 3) {
          this.#fail(error);
          throw error;
        }
        this.#mustRestart = true;
        if (!this.#connection?.isReplaced) continue;
        this.#isReplaced = true;
        this.#connection.removeIfEmptied();
        this.#connection.close();
        this.#connection = undefined;
      }
    }
  }

  #attempt<Result>(
    begin: 'BEGIN' | 'BEGIN IMMEDIATE',
    run: (connection: Connection, hub: HubRow) => Result,
  ): Result {
    const connection = this.#connect();
    if (this.#mustRestart) this.#restart(connection);
    const [result, hub] = connection.transaction(begin, () => {
      const hub = this.#readHub(connection);
      return [run(connection, hub), hub] as const;
    });
    this.#enter(connection, hub);
    this.#succeed();
    return result;
  }

  #connect(): Connection {
    if (this.#isClosed) throw new TidingsError('closed', 'the broker is closed');
    this.#connection ??= new Connection(this.#driver, this.#synchronous);
    return this.#connection;
  }

  /** @throws {LogChanged} the log has changed. */
  #readHub(connection: Connection): HubRow {
    const hub = readHub(connection);
    if (hub.epoch !== this.epoch) throw new LogChanged('the log has restarted in a new epoch');
    if (hub.head < this.knownHead) throw new LogChanged('the file has lost its latest entries');
    return hub;
  }

  /** Adopts the new epoch of another process, or begins a new epoch. */
  #restart(connection: Connection): void {
    const hub = connection.transaction('BEGIN IMMEDIATE', () => {
      const stored = createTables(connection);
      if (stored === undefined) return createHub(connection);
      // Another process has already begun the new epoch.
      if (stored.epoch !== this.epoch) return stored;
      if (!this.#isReplaced && stored.head >= this.knownHead) return stored;
      return renewEpoch(connection, stored);
    });
    this.#mustRestart = this.#isReplaced = false;
    const isNew = hub.epoch !== this.epoch;
    this.#enter(connection, hub);
    if (isNew) this.#events.restarted(hub.epoch, hub.head);
  }

  #enter(connection: Connection, { epoch, head, broken }: HubRow): void {
    if (epoch !== this.epoch) {
      this.epoch = epoch;
      this.knownHead = 0;
      this.#lastBreak = 0;
    }
    this.knownHead = Math.max(this.knownHead, head);
    if (broken <= this.#lastBreak) return;
    const breaks = connection.all<{ after_position: number; before_position: number }>(
      'SELECT * FROM tidings_breaks WHERE before_position > ? ORDER BY before_position',
      this.#lastBreak,
    );
    this.#lastBreak = broken;
    for (const { after_position, before_position } of breaks) {
      this.#events.broken(after_position, before_position);
    }
  }

  #succeed(): void {
    if (this.#isConnected) return;
    this.#isConnected = true;
    this.#events.connection(true);
  }

  /** Closes the file after an error of the file. The next call opens it again. */
  #fail(error: unknown): void {
    const code = resultCode(error);
    if (this.#isClosed || isBusy(error) || (code !== undefined && WRITE_ERRORS.has(code))) return;
    this.#connection?.close();
    this.#connection = undefined;
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#events.connection(false, error);
  }
}
