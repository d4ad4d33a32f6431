// Before the core, which keeps the `setImmediate` that it finds.
import './turns.ts';

import fs, { mkdtempSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Broker,
  type ChannelState,
  type Draft,
  type Entry,
  type LogHead,
  type Opened,
  type Page,
  type Position,
  type Published,
  type Sink,
  TidingsError,
} from '@tidings/core';
import { type SqliteDatabase, sqliteBroker } from '@tidings/sqlite';
import { type Breaks, densePositions } from '../brokers/dense-positions.ts';
import { drivers, type TestDriver } from '../brokers/sqlite-drivers.ts';
import { HABITS, type Habits } from './course.ts';
import { ModelBroker, ModelLog } from './model-broker.ts';
import { tick } from './turns.ts';

// As on a file system that reports no changes: when it reports one is not for a course to choose.
fs.watch = () => {
  throw new Error('the model has no watchers');
};
syncBuiltinESMExports();

const TABLES = ['hub', 'breaks', 'channels', 'entries'];
const nothing = () => {};
const NEVER = new AbortController().signal;

let file: SqliteDatabase | undefined;

/** One file for all courses of a thread. */
function openFile(): SqliteDatabase {
  if (file !== undefined) return file;
  const folder = mkdtempSync(join(tmpdir(), 'tidings-model-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  file = (drivers[0] as TestDriver).open(join(folder, 'model.db'));
  file.exec('PRAGMA journal_mode = WAL');
  return file;
}

/** The log in an SQLite file, as @tidings/sqlite stores it. */
export class SqliteLog extends ModelLog {
  readonly database = openFile();
  /** Shared by all nodes, so that positions are as few as those of the courses. */
  readonly breaks: Breaks = [];
  /** The newest position that was stored. */
  head: Position = 0;
  /** The names of the epochs. */
  readonly #names = new Map<string, string>();
  #last: Promise<unknown> = Promise.resolve();
  /** Calls of the store that have not settled. */
  #pending = 0;
  #mustLook = false;

  constructor(habits: Partial<Habits> = {}) {
    super({ ...HABITS, ...habits });
    this.#dropTables();
  }

  createBroker(): SqliteNode {
    return new SqliteNode(this);
  }

  nameOf(epoch: string): string {
    const name = this.#names.get(epoch) ?? this.epoch;
    this.#names.set(epoch, name);
    return name;
  }

  /** Each start of a node skips positions, and they are left out. */
  skip(): void {}

  wipe(): void {
    this.epoch = `life${Number(this.epoch.slice(4)) + 1}`;
    this.head = 0;
    this.breaks.length = 0;
    this.#dropTables();
    this.look();
  }

  /** An entry is stored: the courses know it before any node does. */
  record(entry: Entry): void {
    // The position of a `begin` that changes nothing is an old one.
    if (entry.position <= this.head) return;
    this.head = entry.position;
    this.onAppend?.(entry);
  }

  /** Has all nodes read what is new, in this tick if no call is under way. */
  look(): void {
    this.#mustLook = this.#pending > 0;
    if (this.#mustLook) return;
    const looking = this.lookAt(this.nodes);
    void this.#keepBusy(looking);
  }

  /** Has nodes read what is new, as their watchers would. */
  async lookAt(nodes: readonly ModelBroker[]): Promise<void> {
    await Promise.all(nodes.map(node => (node as SqliteNode).look()));
  }

  /** Runs calls one at a time: the courses know of an entry once its call has settled. */
  exclusive<T>(call: () => Promise<T>): Promise<T> {
    const done = this.#last.then(call);
    void this.#keepBusy(done.then(nothing, nothing));
    return done;
  }

  async close(): Promise<void> {
    for (const node of [...this.nodes]) await node.close();
  }

  /** The next call waits for this one, and the course is not at rest before it has settled. */
  async #keepBusy(settled: Promise<void>): Promise<void> {
    this.#pending += 1;
    this.#last = settled;
    let isSettled = false;
    void settled.then(() => {
      isSettled = true;
      this.#pending -= 1;
    });
    do await tick();
    while (!isSettled);
    if (this.#mustLook) this.look();
  }

  #dropTables(): void {
    for (const name of TABLES) this.database.exec(`DROP TABLE IF EXISTS tidings_${name}`);
  }
}

/** A node with a broker of @tidings/sqlite. */
class SqliteNode extends ModelBroker {
  readonly #log: SqliteLog;
  #broker: Broker | undefined;
  /** The broker has given everything up to here. */
  #advancedTo: Position = 0;
  /** Entries that the courses do not know yet. */
  #early: Entry[] | undefined;

  constructor(log: SqliteLog) {
    super(log);
    this.#log = log;
  }

  /** Has the broker give what is new: it does so before it opens channels. */
  async look(): Promise<void> {
    await this.#broker?.open(new Map()).catch(nothing);
  }

  override release(channels: readonly string[]): void {
    super.release(channels);
    this.#broker?.release(channels);
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#broker?.close();
  }

  protected get newest(): Position {
    return this.#advancedTo;
  }

  protected async begin(sink: Sink): Promise<LogHead> {
    const broker = densePositions(sqliteBroker({ database: this.#log.database }), this.#log.breaks);
    return this.#log.exclusive(async () => {
      const { epoch, head } = await broker.start(this.#receiver(sink));
      if (this.sink === undefined) await broker.close();
      this.#broker = broker;
      this.#advancedTo = head;
      return { epoch: this.#log.nameOf(epoch), head };
    });
  }

  protected append(drafts: readonly Draft[], deadline = NEVER): Promise<Published> {
    return this.#log.exclusive(async () => {
      if (this.sink === undefined) throw new TidingsError('not-stored', 'closed');
      const early: Entry[] = [];
      this.#early = early;
      try {
        const { epoch, results } = await this.#started.publish(drafts, deadline);
        drafts.forEach(({ keep: _, ...entry }, index) => {
          const position = results[index];
          if (typeof position === 'number') this.#log.record({ ...entry, position });
        });
        return { epoch: this.#log.nameOf(epoch), results };
      } finally {
        this.#early = undefined;
        this.arrive(early);
        await this.#log.lookAt(this.#log.nodes.filter(node => node !== this));
      }
    });
  }

  protected openNow(wants: ReadonlyMap<string, Position>): Promise<Opened> {
    return this.#log.exclusive(() => this.#started.open(wants));
  }

  protected readNow(channel: string, after: Position, until: Position): Promise<Page> {
    return this.#log.exclusive(() => this.#started.read(channel, after, until));
  }

  protected headNow(): Promise<LogHead> {
    return this.#log.exclusive(async () => {
      const { epoch, head } = await this.#started.head();
      return { epoch: this.#log.nameOf(epoch), head };
    });
  }

  protected stateNow(channel: string): Promise<ChannelState> {
    return this.#log.exclusive(() => this.#started.state(channel));
  }

  get #started(): Broker {
    // A process that has died makes calls all the same: nobody is there to see what becomes of them.
    if (this.#broker === undefined || this.sink === undefined) throw new TidingsError('broker', 'closed');
    return this.#broker;
  }

  #receiver(sink: Sink): Sink {
    return {
      entries: list => {
        if (this.#early !== undefined) this.#early.push(...list);
        else this.arrive(list);
      },
      advanced: head => {
        this.#advancedTo = Math.max(this.#advancedTo, head);
        if (this.#early === undefined) this.arrive([]);
      },
      lost: (channels, isCompaction) => sink.lost(channels, isCompaction),
      broken: (after, before) => sink.broken(after, before),
      restarted: (epoch, head) => {
        this.#advancedTo = head;
        if (this.#early !== undefined) this.#early.length = 0;
        this.restart({ epoch: this.#log.nameOf(epoch), head });
      },
      connection: () => {},
      report: error => sink.report(error),
    };
  }
}
