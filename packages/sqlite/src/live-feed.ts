import type { Entry, Position, Sink } from '@tidings/core';
import type { Connection } from './file/connection.ts';
import type { HubRow } from './file/schema.ts';
import type { Store } from './file/store.ts';
import type { Appended } from './log/append.ts';
import { decodeEntry, decodeText, ENTRY_COLUMNS, type EntryRow } from './log/format.ts';

/** Entries that are read at once: the next ones follow in another turn of the event loop. */
const SLICE = 500;

/** What is new in the file. */
interface Slice {
  /** Channels that have lost entries which were not delivered. `all`: it is not known which. */
  readonly lost: readonly string[] | 'all';
  /** Of open channels. */
  readonly entries: readonly Entry[];
  /** There is nothing else of them up to here. */
  readonly upTo: Position;
  readonly isLast: boolean;
}

/** Gives the sink the new entries of open channels, in the order of the log. */
export class LiveFeed {
  /** Channels are being opened at the position up to which everything was given. */
  isHeld = false;
  readonly #store: Store;
  readonly #sink: Sink;
  readonly #open = new Set<string>();
  /** Everything up to here was given. */
  #deliveredUpTo: Position = 0;

  constructor(store: Store, sink: Sink) {
    this.#store = store;
    this.#sink = sink;
  }

  /** Starts at a head. No channel is open any more. */
  restart(head: Position): void {
    this.#open.clear();
    this.#deliveredUpTo = head;
  }

  get openChannels(): ReadonlySet<string> {
    return this.#open;
  }

  /**
   * Gives the sink what is new in the file, one slice of it.
   *
   * @returns whether that was all.
   */
  catchUp(): boolean {
    const slice = this.#store.read((connection, hub) => this.#readSlice(connection, hub));
    this.#give(slice);
    return slice.isLast;
  }

  /**
   * Gives the sink what this process has appended, without reading it from the file. False: there is something before
   * it, which has to be read, or the feed is held.
   */
  appended({ before, entries }: Appended): boolean {
    if (this.isHeld || before !== this.#deliveredUpTo) return false;
    if (entries.length === 0) return true;
    const wanted = entries.filter(({ channel }) => this.#open.has(channel));
    this.#give({ lost: [], entries: wanted, upTo: before + entries.length, isLast: true });
    return true;
  }

  /** Gives nothing more, until `open`. Returns up to where everything was given. */
  hold(): Position {
    this.isHeld = true;
    return this.#deliveredUpTo;
  }

  /** Opens channels where it is held. */
  open(channels: Iterable<string>): void {
    this.isHeld = false;
    for (const name of channels) this.#open.add(name);
  }

  release(channels: readonly string[]): void {
    for (const name of channels) this.#open.delete(name);
  }

  #give({ lost, entries, upTo }: Slice): void {
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

  /** Channels of which entries were deleted from the file before this process has delivered them. */
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
