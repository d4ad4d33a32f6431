import { encode } from '../event.ts';
import { createFrame, type Frame, joinFrames } from '../frame.ts';
import type { Subscriber } from '../subscriber/subscriber.ts';
import type { LogEntry } from './entry.ts';
import { History, type Keep } from './history.ts';
import type { Position } from './position.ts';

/** What a slow stream gets when what it needs has left the history. */
export type Overflow = 'reset' | 'disconnect';

/** How a channel is kept. */
export interface ChannelSettings extends Keep {
  overflow: Overflow;
  snapshot: SnapshotSettings | undefined;
}

/** How the application tells the state of a channel: the name of the event, and what gives its data. */
interface SnapshotSettings {
  readonly event: string;
  readonly take: () => unknown;
}

/** Consecutive entries of a channel, joined for one write. */
export interface Piece {
  /** Absent when nothing of it is to be sent. */
  readonly frame: Frame | undefined;
  readonly last: Position;
  /** Some of it is not for everybody. */
  readonly hasExceptions: boolean;
}

/** The state of a channel, as the application tells it. */
export interface Snapshot {
  /** It includes everything up to here. */
  readonly position: Position;
  readonly frame: Promise<Frame>;
}

/** Bytes that may be kept beyond the history's own bound, for those who are not ready to take them. */
const PINNED = 16 * 1024 * 1024;

/** Ms after which nobody waits for the state any more: streams fail, and who comes then asks anew. */
const SNAPSHOT_TIMEOUT = 30_000;

/** A channel as the hub holds it: its log, and who follows it. */
export class ChannelState {
  readonly name: string;
  history: History;
  overflow: Overflow;
  /** What comes to it is given to the log. Always so without a broker. */
  isOpen: boolean;
  /** Up to here, a broker has lost something of it. */
  lostAt: Position = 0;
  /** The history has all there is. Always so without a broker. */
  isWhole: boolean;
  readonly subscribers = new Set<Subscriber>();
  /** What is after any of these must not leave: streams that are about to begin are going to need it. */
  readonly pins = new Set<{ readonly start: Position }>();
  /** Of its `end()`. */
  endedAt: Position | undefined;
  /** All that the last finished round of the flush has passed: superseded entries up to here are skipped. */
  #passed: Position;
  #snapshots: SnapshotSettings | undefined;
  #snapshot: Snapshot | undefined;
  /** Shared by all streams that are as far, until there is more to join. */
  readonly #pieces = new Map<LogEntry, Piece>();

  /** @param isMirror there is a broker, which has yet to be asked for the channel. */
  constructor(
    name: string,
    { overflow, snapshot, ...keep }: ChannelSettings,
    floor: Position,
    isMirror = false,
  ) {
    this.name = name;
    this.overflow = overflow;
    this.isOpen = !isMirror;
    this.isWhole = !isMirror;
    this.#snapshots = snapshot;
    this.history = new History(keep, floor);
    this.#passed = floor;
  }

  /** Whether a broker has to be asked for what is after a position. */
  lacks(after: Position): boolean {
    return !this.isOpen || (!this.isWhole && after < this.history.floor);
  }

  /** Takes on other settings, and keeps what it has by them. */
  configure({ overflow, snapshot, ...keep }: ChannelSettings): void {
    this.overflow = overflow;
    this.#snapshots = snapshot;
    const { events, bytes, age, compact } = this.history.keep;
    const isSame = events === keep.events && bytes === keep.bytes && age === keep.age;
    if (isSame && compact === keep.compact) return;
    const { floor, newest, isBlank } = this.history;
    this.#replace(new History(keep, floor, isBlank ? undefined : newest), this.history.entriesAfter(0));
  }

  /**
   * Takes what a broker has of it, and is not here.
   *
   * @param entries ascending, up to a position.
   * @param floor everything after it is among them.
   * @param newest of the channel, if the broker knows of it.
   * @param isAll the broker was asked for all it has.
   */
  fill(
    entries: readonly LogEntry[],
    floor: Position,
    upto: Position,
    newest: Position | undefined,
    isAll: boolean,
  ): void {
    const { keep, floor: floorHere } = this.history;
    // Nothing joins the two if what has come since has left.
    const isJoined = floorHere <= upto;
    if (isJoined && (!this.isOpen || floor < floorHere)) {
      // An open channel lacks nothing but what is older.
      const seam = this.isOpen ? floorHere : upto;
      const older = entries.filter(({ position }) => position <= seam);
      this.#replace(new History(keep, floor, newest), [...older, ...this.history.entriesAfter(seam)]);
    }
    this.isOpen = true;
    this.isWhole = isJoined && isAll;
  }

  /** Drops everything: something of it is gone that was to come. */
  lose(head: Position): void {
    this.#replace(new History(this.history.keep, head, head), []);
    this.isWhole = false;
  }

  #replace(history: History, entries: readonly LogEntry[]): void {
    this.history = history;
    for (const entry of entries) this.append(entry);
    this.#pieces.clear();
  }

  /** Gives up so many bytes of what it keeps, oldest first, if that is not newer than a position. */
  release(passed: Position, excess: number): void {
    this.history.release(passed, excess);
    this.#pieces.clear();
    this.isWhole = false;
  }

  get hasSnapshots(): boolean {
    return this.#snapshots !== undefined;
  }

  /** Asks the application for the state; all who ask while it works at it get the same. */
  snapshot(head: Position): Snapshot {
    this.#snapshot ??= { position: head, frame: this.#makeSnapshot() };
    return this.#snapshot;
  }

  async #makeSnapshot(): Promise<Frame> {
    const { take, event } = this.#snapshots as SnapshotSettings;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise((_, reject) => {
      const error = new Error(`the snapshot of ${this.name} took longer than ${SNAPSHOT_TIMEOUT} ms`);
      timer = setTimeout(reject, SNAPSHOT_TIMEOUT, error);
    });
    try {
      return createFrame(encode(await Promise.race([take(), timeout]), { event }), 1);
    } finally {
      clearTimeout(timer);
      this.#snapshot = undefined;
    }
  }

  append(entry: LogEntry): void {
    if (entry.isBegin) this.history.release(entry.position, Number.POSITIVE_INFINITY);
    this.history.append(entry);
    this.#pieces.clear();
    // Also an event after the end: the broker has forgotten that the channel had ended.
    this.endedAt = entry.isEnd ? entry.position : undefined;
  }

  /** The next piece after a position, if there is one. Pieces end where a block does, so that laggards share them. */
  pieceAfter(position: Position): Piece | undefined {
    const index = this.history.indexAfter(position);
    const first = this.history.at(index);
    if (first === undefined) return undefined;
    let piece = this.#pieces.get(first);
    if (piece === undefined) {
      piece = this.#join(first, index);
      this.#pieces.set(first, piece);
    }
    return piece;
  }

  /** The next entry after a position that is to be sent, if there is one up to another. */
  entryAfter(position: Position, upto = Number.POSITIVE_INFINITY): LogEntry | undefined {
    let index = this.history.indexAfter(position);
    for (let entry = this.history.at(index); entry !== undefined; entry = this.history.at(++index)) {
      if (entry.position > upto) break;
      if (!this.#isSkipped(entry)) return entry;
    }
    return undefined;
  }

  endRound(passed: Position, now: number): void {
    this.#passed = passed;
    this.#pieces.clear();
    let kept = passed;
    if (this.history.bytes < this.history.keep.bytes + PINNED) {
      for (const { start } of this.pins) kept = Math.min(kept, start);
    }
    this.history.trim(passed, kept, now);
  }

  #join(first: LogEntry, index: number): Piece {
    const frames: Frame[] = [];
    let last = first;
    let hasExceptions = false;
    for (
      let entry: LogEntry | undefined = first;
      entry?.block === first.block;
      entry = this.history.at(++index)
    ) {
      last = entry;
      if (this.#isSkipped(entry) || entry.frame === undefined) continue;
      frames.push(entry.frame);
      hasExceptions ||= entry.except !== undefined;
    }
    const frame = frames.length > 0 ? joinFrames(frames) : undefined;
    return { frame, last: last.position, hasExceptions };
  }

  #isSkipped(entry: LogEntry): boolean {
    return entry.isSuperseded && entry.position <= this.#passed;
  }
}
