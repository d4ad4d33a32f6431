import type { Position } from '../protocol/event-id.ts';
import type { ChannelCounts } from './channel-counts.ts';
import type { LogEntry } from './entry.ts';
import { History } from './history.ts';
import type { ChannelSettings, Overflow } from './keep.ts';
import type { LogListener, Retention } from './listener.ts';
import type { LogRange } from './log-range.ts';
import { type Piece, Pieces } from './pieces.ts';
import { type Snapshot, Snapshots } from './snapshots.ts';

/** Bytes that retentions may add to the limit of a history. */
const MAX_RETAINED = 16 * 1024 * 1024;

/** The settings that a history depends on. */
const KEEP = ['events', 'bytes', 'age', 'compact', 'compression'] as const;

/** One channel in this process: its history, and the streams that are subscribed to it. */
export class ChannelLog {
  readonly name: string;
  history: History;
  overflow: Overflow;
  /** ms. See {@link ChannelSettings}. */
  flushInterval: number;
  /** The history has every entry after `trimmedUpTo`, and receives new entries. Always true without a broker. */
  isOpen: boolean;
  /** A stream waits for a read of this channel, or of another that it needs. New entries may already arrive. */
  isBeingRead = false;
  /** The history has every entry that the broker retains. Only used with a broker. */
  isWhole: boolean;
  /** How often entries were evicted, or lost before they arrived from the broker. A change makes a read invalid. */
  losses = 0;
  /** The newest position when the channel was last dropped from memory. 0: unknown. */
  rememberedUpTo: Position = 0;
  /** The position of the channel's `end`, if it has ended. */
  endedAt: Position | undefined;
  /** The channel was reopened after an `end` at this position. Entries up to it will be dropped. 0: none. */
  #dropUpTo: Position = 0;
  /** Entries up to this position were dropped because the channel was reopened. */
  droppedUpTo: Position = 0;
  /** Entries up to this position were evicted before connected streams had received them. */
  undeliveredUpTo: Position = 0;
  counts: ChannelCounts | undefined;
  readonly listeners = new Set<LogListener>();
  /** Set by streams that have not begun yet or are waiting, and need the entries after a position. */
  readonly retentions = new Set<Retention>();
  #snapshots: Snapshots | undefined;
  /** Superseded entries up to this position are skipped: live streams have received them. */
  #deliveredUpTo: Position;
  /** `losses` when the history last had all that the broker retains. Infinity: never, or there is no broker. */
  #lossesWhenWhole = Number.POSITIVE_INFINITY;
  readonly #pieces: Pieces;
  readonly #isSkipped = (entry: LogEntry) => entry.isSuperseded && entry.position <= this.#deliveredUpTo;

  /**
   * @param trimmedUpTo entries of the channel up to this position may have been dropped.
   * @param piecesInUse see {@link Pieces}.
   * @param isRemote whether a broker stores the log.
   */
  constructor(
    name: string,
    settings: ChannelSettings,
    trimmedUpTo: Position,
    piecesInUse: Set<Pieces>,
    isRemote = false,
  ) {
    const { overflow, snapshot, flushInterval, ...keep } = settings;
    this.name = name;
    this.overflow = overflow;
    this.flushInterval = flushInterval;
    this.isOpen = !isRemote;
    this.isWhole = !isRemote;
    this.#snapshots = snapshot && new Snapshots(name, snapshot);
    this.history = new History(keep, trimmedUpTo);
    this.#deliveredUpTo = trimmedUpTo;
    this.#pieces = new Pieces(piecesInUse);
  }

  /** Whether the entries after a position must be read from the broker. */
  lacks(after: Position): boolean {
    return !this.isOpen || (!this.isWhole && after < this.history.trimmedUpTo);
  }

  /**
   * Whether a client that has missed entries receives a reset. With `history: false` it does not, unless the channel
   * has a snapshot, which restores the client's state.
   */
  get reportsLoss(): boolean {
    return !this.history.isLiveOnly || this.#snapshots !== undefined;
  }

  /** The newest missing entries were dropped because the channel was reopened. */
  get hasBegunAgain(): boolean {
    return this.droppedUpTo > 0 && this.history.trimmedUpTo <= this.droppedUpTo;
  }

  /** Whether a stream that lacks entries is closed. Not if they were dropped because the channel was reopened. */
  get disconnectsSlow(): boolean {
    // The next request reads the state from the broker.
    const isEvicted = this.history.keep.compact && this.losses > this.#lossesWhenWhole;
    return (isEvicted || this.overflow === 'disconnect') && !this.hasBegunAgain;
  }

  /** Whether a new subscriber receives the current state first. */
  get hasState(): boolean {
    return this.history.keep.compact || this.#snapshots !== undefined;
  }

  requestSnapshot(head: Position): Snapshot | undefined {
    return this.#snapshots?.request(head, this.retainedAfter);
  }

  /** Replaces the settings, and applies them to the retained entries. */
  configure({ overflow, snapshot, flushInterval, ...keep }: ChannelSettings): void {
    this.overflow = overflow;
    this.flushInterval = flushInterval;
    this.#snapshots = snapshot && new Snapshots(this.name, snapshot);
    const before = this.history.keep;
    if (KEEP.every(name => before[name] === keep[name])) return;
    const { trimmedUpTo, newest, isBlank } = this.history;
    this.#replace(new History(keep, trimmedUpTo, isBlank ? undefined : newest), this.history.entriesAfter(0));
  }

  /** Adds the entries that were read from the broker. */
  fill({ entries, after, upTo, newest, isWhole }: LogRange): void {
    const { keep, trimmedUpTo } = this.history;
    // The history already has all of these entries.
    if (this.isOpen && after >= trimmedUpTo) {
      this.isWhole ||= isWhole;
      return;
    }
    // False if entries after `upTo` have arrived meanwhile and were already trimmed: then there is a gap.
    const isJoined = trimmedUpTo <= upTo;
    if (isJoined && (!this.isOpen || after < trimmedUpTo)) {
      // An open channel lacks only entries that are older than its history.
      const seam = this.isOpen ? trimmedUpTo : upTo;
      const older = entries.filter(({ position }) => position <= seam);
      this.#replace(new History(keep, after, newest), [...older, ...this.history.entriesAfter(seam)]);
    }
    this.isOpen = true;
    this.isWhole = isJoined && isWhole;
    if (this.isWhole) this.#lossesWhenWhole = this.losses;
  }

  /**
   * Drops all entries, because some were lost before they arrived from the broker. The channel must be opened again:
   * the lost entries may be newer than the head.
   */
  lose(head: Position): void {
    this.losses += 1;
    if (!this.isOpen) return;
    this.#replace(new History(this.history.keep, head, head), []);
    this.isOpen = false;
    this.isWhole = false;
  }

  #replace(history: History, entries: readonly LogEntry[]): void {
    this.history = history;
    // Not `this.append`, which would change `endedAt`.
    for (const entry of entries) history.append(entry);
    this.#pieces.clear();
  }

  append(entry: LogEntry): void {
    if (this.endedAt !== undefined && entry.position > this.endedAt) {
      this.beginAfter(this.endedAt);
      this.endedAt = undefined;
    }
    this.history.append(entry);
    this.#pieces.clear();
    this.counts?.add(entry);
    if (entry.kind === 'end') this.endedAt = entry.position;
  }

  /** Called when the channel was reopened. Its earlier entries are dropped once live streams have received them. */
  beginAfter(end: Position): void {
    this.#dropUpTo = Math.max(this.#dropUpTo, end);
  }

  /** The position before the first entry since the channel began or was reopened. */
  get beginning(): Position {
    return Math.max(this.history.beginning, this.#dropUpTo);
  }

  /** Entries up to this position are trimmed, or will be dropped because the channel was reopened. */
  get retainedAfter(): Position {
    return Math.max(this.history.trimmedUpTo, this.#dropUpTo);
  }

  /** The next piece after a position. Undefined: there are no more entries. */
  pieceAfter(position: Position): Piece | undefined {
    return this.#pieces.after(position, this.history, this.#isSkipped);
  }

  /** The next entry after a position that is not skipped. Undefined: there is none up to `upTo`. */
  entryAfter(position: Position, upTo = Number.POSITIVE_INFINITY): LogEntry | undefined {
    let index = this.history.indexAfter(position);
    for (let entry = this.history.at(index); entry !== undefined; entry = this.history.at(++index)) {
      if (entry.position > upTo) break;
      if (!this.#isSkipped(entry)) return entry;
    }
    return undefined;
  }

  /** Whether a client that resumes at a position would receive a reset, or soon will. */
  isAboutToTrim(position: Position, now: number): boolean {
    return this.reportsLoss && (this.#dropUpTo > position || this.history.isAboutToTrim(position, now));
  }

  /** Trims the history to its limits. @param upTo every live stream has received the entries up to this position. */
  trim(upTo: Position, now: number): void {
    // The position may be lower than before: while other channels wait in a flush window, a caller passes the position
    // up to which all channels were delivered, and this channel was delivered further.
    const deliveredUpTo = Math.max(this.#deliveredUpTo, upTo);
    this.#deliveredUpTo = deliveredUpTo;
    this.#pieces.clear();
    if (this.#dropUpTo > 0 && this.#dropUpTo <= deliveredUpTo) {
      this.history.drop(this.#dropUpTo);
      this.droppedUpTo = this.#dropUpTo;
      this.#dropUpTo = 0;
    }
    let trimUpTo = deliveredUpTo;
    if (this.history.bytes < this.history.keep.bytes + MAX_RETAINED) {
      for (const { start } of this.retentions) trimUpTo = Math.min(trimUpTo, start);
    }
    const { trimmedUpTo, keep } = this.history;
    this.history.trim(deliveredUpTo, trimUpTo, now);
    // The broker may still have the trimmed tombstone: by its clock, or because it retained it for another process.
    if (keep.compact && this.history.trimmedUpTo > trimmedUpTo) this.isWhole = false;
  }

  /** Evicts at least `excess` bytes, oldest entries first, up to a position. Returns the number of evicted entries. */
  evict(upTo: Position, excess: number): number {
    const { trimmedUpTo, size } = this.history;
    this.history.evict(upTo, excess);
    if (this.history.trimmedUpTo === trimmedUpTo) return 0;
    this.losses += 1;
    this.#pieces.clear();
    this.isWhole = false;
    return size - this.history.size;
  }

  /** Evicts entries that connected streams have not received. The streams receive a reset, even without history. */
  evictUndelivered(upTo: Position, excess: number): number {
    const evicted = this.evict(upTo, excess);
    this.undeliveredUpTo = this.history.trimmedUpTo;
    return evicted;
  }
}
