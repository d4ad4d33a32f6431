import type { Entry, Position, Sink } from '@tidings/core';
import type { Connection } from './file/connection.ts';
import type { HubRow } from './file/schema.ts';
import type { Store } from './file/store.ts';
import type { Appended } from './log/append.ts';
import { decodeEntry, decodeText, ENTRY_COLUMNS, type EntryRow } from './log/format.ts';

/** Maximum number of entries that are read in one iteration of the event loop. */
const SLICE = 500;

/** New entries of the file. */
interface Slice {
  /** Channels of which undelivered entries were lost. `all`: it is not known which. */
  readonly lost: readonly string[] | 'all';
  /** Entries of open channels. */
  readonly entries: readonly Entry[];
  /** `entries` has all entries of open channels up to this position. */
  readonly upTo: Position;
  readonly isLast: boolean;
}

/** Passes the new entries of open channels to the sink, in the order of the log. */
export class LiveFeed {
  /** Deliveries are suspended, because channels are being opened at the current position. */
  isHeld = false;
  readonly #store: Store;
  readonly #sink: Sink;
  readonly #open = new Set<string>();
  /** All entries of open channels up to this position were delivered. */
  #deliveredUpTo: Position = 0;

  constructor(store: Store, sink: Sink) {
    this.#store = store;
    this.#sink = sink;
  }

  /** Starts at a head, with no open channels. */
  restart(head: Position): void {
    this.#open.clear();
    this.#deliveredUpTo = head;
  }

  get openChannels(): ReadonlySet<string> {
    return this.#open;
  }

  /**
   * Reads and delivers one slice of the new entries.
   *
   * @returns whether it was the last one.
   */
  catchUp(): boolean {
    const slice = this.#store.read((connection, hub) => this.#readSlice(connection, hub));
    this.#deliver(slice);
    return slice.isLast;
  }

  /**
   * Delivers entries that this process has appended, without reading them from the file.
   *
   * @returns false if nothing was delivered: earlier entries must be read first, or the feed is held.
   */
  appended({ before, entries }: Appended): boolean {
    if (this.isHeld || before !== this.#deliveredUpTo) return false;
    if (entries.length === 0) return true;
    const wanted = entries.filter(({ channel }) => this.#open.has(channel));
    this.#deliver({ lost: [], entries: wanted, upTo: before + entries.length, isLast: true });
    return true;
  }

  /** Suspends deliveries until `open`. Returns the position up to which all entries were delivered. */
  hold(): Position {
    this.isHeld = true;
    return this.#deliveredUpTo;
  }

  /** Resumes deliveries, with these channels open from the current position on. */
  open(channels: Iterable<string>): void {
    this.isHeld = false;
    for (const name of channels) this.#open.add(name);
  }

  release(channels: readonly string[]): void {
    for (const name of channels) this.#open.delete(name);
  }

  #deliver({ lost, entries, upTo }: Slice): void {
    this.#deliveredUpTo = upTo;
    if (lost === 'all') this.#sink.lost();
    else if (lost.length > 0) this.#sink.lost(lost);
    if (entries.length > 0) this.#sink.entries(entries);
    this.#sink.advanced(upTo);
  }

  #readSlice(connection: Connection, hub: HubRow): Slice {
    const after = this.#deliveredUpTo;
    if (hub.head === after) return { lost: [], entries: [], upTo: after, isLast: true };
    const rows = connection.all<{ position: Position; name: string }>(
      `SELECT position, name FROM tidings_entries JOIN tidings_channels ON id = channel
       WHERE position > ? AND position <= ? ORDER BY position LIMIT ${SLICE}`,
      after,
      hub.head,
    );
    const entries: Entry[] = [];
    for (const { position, name } of rows) {
      const channel = decodeText(name);
      if (!this.#open.has(channel)) continue;
      const row = connection.get<EntryRow>(
        `SELECT position, ${ENTRY_COLUMNS} FROM tidings_entries WHERE position = ?`,
        position,
      );
      if (row !== undefined) entries.push(decodeEntry(channel, row));
    }
    const isLast = rows.length < SLICE;
    const upTo = isLast ? hub.head : (rows.at(-1)?.position ?? hub.head);
    return { lost: this.#findLosses(connection, hub), entries, upTo, isLast };
  }

  /** Channels of which entries were deleted from the file before this process had delivered them. */
  #findLosses(connection: Connection, { swept, forgotten }: HubRow): Slice['lost'] {
    const after = this.#deliveredUpTo;
    if (forgotten > after) return 'all';
    if (swept <= after) return [];
    const names = connection.all<{ name: string }>(
      'SELECT name FROM tidings_channels WHERE last > ? AND deleted > ?',
      after,
      after,
    );
    return names.map(({ name }) => decodeText(name)).filter(name => this.#open.has(name));
  }
}
