import { type Draft, type Entry, type Position, TidingsError } from '@tidings/core';
import type { Connection } from '../file/connection.ts';
import {
  type ChannelRow,
  COARSE,
  COMPACTED_RETENTION,
  EXPIRY_DELAY,
  type HubRow,
  MIN_RETENTION,
  OVERHEAD,
} from '../file/schema.ts';
import { clearChannel, createChannel, findChannel, saveChannel } from './channels.ts';
import { encodeEntry, encodeText, isMark, KIND } from './format.ts';
import { deleteExpired, evict, sweepChannel, trimChannel } from './retention.ts';

export interface Appended {
  readonly results: readonly (Position | TidingsError)[];
  /** The new entries, and the head before them. */
  readonly entries: readonly Entry[];
  readonly before: Position;
}

const INSERT = `
  INSERT INTO tidings_entries
    (position, channel, dead, at, size, tag, kind, json, event, key, except_for, data)
  VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** Appends a batch, in a write transaction: assigns a position to each entry, and trims its channels. */
export function append(
  connection: Connection,
  hub: HubRow,
  drafts: readonly Draft[],
  maxBytes: number,
): Appended {
  const before = hub.head;
  const batch = new Batch(connection, hub);
  const results = drafts.map(draft => batch.add(draft));
  batch.finish();
  evict(connection, hub, maxBytes);
  deleteExpired(connection, hub, Date.now());
  return { results, entries: batch.entries, before };
}

/** A channel of the batch. */
interface BatchChannel {
  readonly row: ChannelRow;
  /** The settings of the newest entry. */
  keep: Draft['keep'];
  /** Number of added entries. */
  added: number;
}

class Batch {
  readonly entries: Entry[] = [];
  readonly #connection: Connection;
  readonly #hub: HubRow;
  readonly #now = Date.now();
  readonly #channels = new Map<string, BatchChannel>();

  constructor(connection: Connection, hub: HubRow) {
    this.#connection = connection;
    this.#hub = hub;
  }

  add(draft: Draft): Position | TidingsError {
    const { channel: name, kind, keep } = draft;
    const known = this.#channels.get(name)?.row ?? findChannel(this.#connection, name);
    const hasEnded = known !== undefined && known.ended !== null;
    if (kind === 'begin' && !hasEnded) return known?.last ?? this.#hub.head;
    if (kind !== 'begin' && hasEnded) {
      return new TidingsError(
        'ended',
        `the channel ${JSON.stringify(name)} has ended: call begin() to use it again`,
      );
    }
    const row = known ?? createChannel(this.#connection, name, this.#hub.forgotten);
    const channel = this.#channels.get(name) ?? { row, keep, added: 0 };
    this.#channels.set(name, channel);
    channel.keep = keep;
    channel.added += 1;
    return this.#append(draft, row);
  }

  /** Trims the channels, and stores their rows. */
  finish(): void {
    for (const { row, keep, added } of this.#channels.values()) {
      trimChannel(this.#connection, row, keep, this.#now);
      sweepChannel(this.#connection, this.#hub, row, { added, now: this.#now });
      row.age = toInteger(keep.age);
      const retention = Math.max(row.age, row.compact === 1 ? COMPACTED_RETENTION : MIN_RETENTION);
      const due = this.#now + retention + EXPIRY_DELAY;
      if (row.due < due || row.due > due + COARSE) row.due = due + COARSE;
      row.used = this.#now - (this.#now % COARSE);
      saveChannel(this.#connection, row);
    }
  }

  #append({ keep, ...draft }: Draft, row: ChannelRow): Position {
    this.#hub.head += 1;
    const position = this.#hub.head;
    const kind = KIND[draft.kind];
    const size = isMark(kind) ? 0 : Buffer.byteLength(draft.data) + OVERHEAD;
    // Without compaction, earlier events with the same key are separate events. So a switch clears the channel.
    if (row.compact !== Number(keep.compact)) clearChannel(row, row.last);
    row.compact = Number(keep.compact);
    let tag: string | undefined;
    if (kind === KIND.end) {
      row.ended = position;
    } else if (kind === KIND.begin) {
      clearChannel(row, row.ended ?? row.last);
      row.ended = null;
      row.begun = position;
    } else if (keep.events === 0 || keep.bytes === 0 || keep.age === 0) {
      clearChannel(row, position);
      row.garbage += 1;
    } else {
      row.count += 1;
      row.bytes += size;
      if (keep.compact) tag = draft.key ?? draft.event ?? '';
    }
    const { stored = null } = tag === undefined ? {} : { stored: this.#supersede(row, tag) };
    this.#connection.run(
      INSERT,
      position,
      row.id,
      this.#now,
      size,
      stored,
      ...encodeEntry({ ...draft, keep }),
    );
    row.stored += size;
    row.last = position;
    this.#hub.bytes += size;
    this.entries.push({ ...draft, position });
    return position;
  }

  /** Removes the older event of a key from the retained events. Returns the key as it is stored. */
  #supersede(row: ChannelRow, tag: string) {
    const stored = encodeText(tag);
    const older = this.#connection.get<{ position: number; size: number }>(
      'SELECT position, size FROM tidings_entries WHERE channel = ? AND tag = ?',
      row.id,
      stored,
    );
    if (older === undefined) return stored;
    const { position, size } = older;
    this.#connection.run('UPDATE tidings_entries SET dead = 1, tag = NULL WHERE position = ?', position);
    if (position > row.cleared) {
      row.superseded = Math.max(row.superseded, position);
      row.count -= 1;
      row.bytes -= size;
      row.garbage += 1;
    }
    return stored;
  }
}

/** Rounds up. Infinity becomes 2^50, because SQLite's integers are limited. */
function toInteger(value: number): number {
  return Math.min(Math.ceil(value), 2 ** 50);
}
