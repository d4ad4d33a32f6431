import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SqliteBrokerOptions, type SqliteDatabase, sqliteBroker } from '@tidings/sqlite';
import { afterEach } from 'vitest';
import { type StartedBroker, start } from './recorder.ts';
import { drivers, type TestDriver } from './sqlite-drivers.ts';

export const driver = drivers[0] as TestDriver;

export const soon = () => AbortSignal.timeout(5_000);

/** SQLite's three files of one database. */
const FILES = ['', '-wal', '-shm'];

/** A database file of one test, in a folder of its own, and what was opened on it. */
export class DatabaseFile {
  readonly path: string;
  readonly #ending: (() => unknown)[] = [];

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), 'tidings-sqlite-'));
    this.path = join(folder, 'hub.db');
    this.#ending.push(() => rmSync(folder, { recursive: true }));
    ending.push(() => this.#end());
  }

  /** The broker of one more process. */
  async broker(options: Partial<SqliteBrokerOptions> = {}): Promise<StartedBroker> {
    const node = await start(
      sqliteBroker(options.database === undefined ? { file: this.path, ...options } : options),
    );
    this.#ending.push(() => node.broker.close());
    return node;
  }

  /** A connection beside the brokers. */
  open(): SqliteDatabase {
    const database = driver.open(this.path);
    database.exec('PRAGMA busy_timeout = 1000');
    this.#ending.push(() => {
      try {
        database.close();
      } catch {
        // It is closed.
      }
    });
    return database;
  }

  /** Closes a broker, and copies its file, as a backup would. Nothing else may have it open. */
  async backUp(node: StartedBroker): Promise<void> {
    await node.broker.close();
    // libsql closes its file later: what is in the write-ahead log is copied, too.
    const database = driver.open(this.path);
    database.exec(`VACUUM INTO '${this.path}.backup'`);
    database.close();
  }

  /** Replaces the file by its backup. */
  restore(): void {
    this.remove();
    copyFileSync(`${this.path}.backup`, this.path);
  }

  remove(): void {
    for (const name of FILES) rmSync(this.path + name, { force: true });
  }

  async #end(): Promise<void> {
    for (const end of this.#ending.splice(0).reverse()) await end();
  }
}

const ending: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0)) await end();
});
