import type { Position } from '../protocol/event-id.ts';
import { type Frame, joinFrames } from '../protocol/frame.ts';
import type { LogEntry } from './entry.ts';
import type { History } from './history.ts';

/** Bytes of a channel after which a piece ends. */
const BLOCK = 64 * 1024;
/** Maximum bytes of the pieces of one channel, in addition to the bytes of its history. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Consecutive entries of a channel, joined for one write. */
export interface Piece {
  /** Absent if none of the entries is sent. */
  readonly frame: Frame | undefined;
  /** The position of the last entry. */
  readonly last: Position;
  /** The position of the last entry that is sent. */
  readonly lastSent: Position;
  /** Some of the entries exclude a stream or a client. */
  readonly hasExceptions: boolean;
}

/**
 * The pieces of one channel, shared by all streams at the same offset. Each piece ends at the end of a block of the
 * history, so that streams that stalled at different times also share them.
 */
export class Pieces {
  readonly #pieces = new Map<LogEntry, Piece>();
  readonly #inUse: Set<Pieces>;
  #bytes = 0;
  /** The last returned piece, and the position after which it was requested. Most streams request the same one. */
  #last: Piece | undefined;
  #lastAfter: Position = 0;

  /** @param inUse the set of all objects that have pieces. They are cleared when the delivery loop is idle. */
  constructor(inUse: Set<Pieces>) {
    this.#inUse = inUse;
  }

  /** Must be called when the history changes, and after each round of the delivery loop. */
  clear(): void {
    if (this.#pieces.size === 0) return;
    this.#pieces.clear();
    this.#bytes = 0;
    this.#last = undefined;
    this.#inUse.delete(this);
  }

  /** The piece that begins with the first entry after a position. Undefined: there is no such entry. */
  after(position: Position, history: History, isSkipped: (entry: LogEntry) => boolean): Piece | undefined {
    if (this.#last !== undefined && position === this.#lastAfter) return this.#last;
    const index = history.indexAfter(position);
    const first = history.at(index);
    if (first === undefined) return undefined;
    let piece = this.#pieces.get(first);
    if (piece === undefined) {
      piece = join(history, first, index, isSkipped);
      this.#bytes += piece.frame?.length ?? 0;
      // Streams that resume at many different offsets have separate first pieces, which can exceed the limit.
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

/** The number of the block in which an entry begins. */
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
