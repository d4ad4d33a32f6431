import type { Position } from '../protocol/event-id.ts';
import { type Frame, joinFrames } from '../protocol/frame.ts';
import type { LogEntry } from './entry.ts';
import type { History } from './history.ts';

const BLOCK = 64 * 1024;
/** Bytes of the pieces of one channel, beside those that the whole history makes. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Consecutive entries of a channel, joined for one write. */
export interface Piece {
  /** Absent when none of its entries is sent. */
  readonly frame: Frame | undefined;
  /** The last of its entries. */
  readonly last: Position;
  /** The last of them that is sent. */
  readonly lastSent: Position;
  /** Some of its entries are not for every stream. */
  readonly hasExceptions: boolean;
}

/**
 * The pieces of one channel, shared by all streams at the same offset. They end where a block of the history does, so
 * that streams which stalled at different moments share them too.
 */
export class Pieces {
  readonly #pieces = new Map<LogEntry, Piece>();
  readonly #inUse: Set<Pieces>;
  #bytes = 0;
  /** The piece that was last asked for, and after which position: most streams are at the same one. */
  #last: Piece | undefined;
  #lastAfter: Position = 0;

  /** @param inUse those that have pieces: they have to be cleared when the delivery loop comes to rest. */
  constructor(inUse: Set<Pieces>) {
    this.#inUse = inUse;
  }

  /** To be called when the history changes, and after each round of the delivery loop. */
  clear(): void {
    if (this.#pieces.size === 0) return;
    this.#pieces.clear();
    this.#bytes = 0;
    this.#last = undefined;
    this.#inUse.delete(this);
  }

  /** The piece that begins with the first entry after a position, if there is one. */
  after(position: Position, history: History, isSkipped: (entry: LogEntry) => boolean): Piece | undefined {
    if (this.#last !== undefined && position === this.#lastAfter) return this.#last;
    const index = history.indexAfter(position);
    const first = history.at(index);
    if (first === undefined) return undefined;
    let piece = this.#pieces.get(first);
    if (piece === undefined) {
      piece = join(history, first, index, isSkipped);
      this.#bytes += piece.frame?.length ?? 0;
      // Streams that resume at many different offsets share only the pieces after their first one.
      if (this.#bytes > history.bytes + MAX_BYTES) this.#pieces.clear();
      if (this.#pieces.size === 0) this.#bytes = piece.frame?.length ?? 0;
      this.#pieces.set(first, piece);
      this.#inUse.add(this);
    }
    this.#last = piece;
    this.#lastAfter = position;
    return piece;
  }
}

/** Joined writes are cut where it changes: with every 64 KiB of the channel. */
function blockOf(entry: LogEntry): number {
  return Math.floor(entry.writtenBefore / BLOCK);
}

function join(
  history: History,
  first: LogEntry,
  start: number,
  isSkipped: (entry: LogEntry) => boolean,
): Piece {
  const frames: Frame[] = [];
  let last = first;
  let lastSent = first;
  let hasExceptions = false;
  let isWhole = true;
  let index = start;
  for (
    let entry: LogEntry | undefined = first;
    entry !== undefined && blockOf(entry) === blockOf(first);
    entry = history.at(++index)
  ) {
    last = entry;
    if (entry.frame === undefined) continue;
    if (isSkipped(entry)) {
      isWhole = false;
      continue;
    }
    frames.push(entry.frame);
    lastSent = entry;
    hasExceptions ||= entry.except !== undefined;
  }
  const plain = frames.length > 0 ? joinFrames(frames) : undefined;
  const frame = plain && (history.window?.batch(plain, first, last, isWhole) ?? plain);
  return { frame, last: last.position, lastSent: lastSent.position, hasExceptions };
}
