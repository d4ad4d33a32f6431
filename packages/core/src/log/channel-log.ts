import type { Position } from '../protocol/event-id.ts';
import type { ChannelCounts } from './channel-counts.ts';
import type { LogEntry } from './entry.ts';
import type { Filling } from './filling.ts';
import { History } from './history.ts';
import type { ChannelSettings, Overflow } from './keep.ts';
import type { LogListener } from './listener.ts';
import { type Piece, Pieces } from './pieces.ts';
import { type Snapshot, Snapshots } from './snapshots.ts';

/** Entries after its position are retained beyond the limits of the history, within a bound. */
export interface Retention {
  readonly start: Position;
}

/** Bytes that may be retained beyond the limits of a history. */
const MAX_RETAINED = 16 * 1024 * 1024;

const KEEP = ['events', 'bytes', 'age', 'compact', 'compression'] as const;

/** One channel in this process: its history, and the streams that are subscribed to it. */
export class ChannelLog {
  readonly name: string;
  history: History;
  overflow: Overflow;
  /** ms. See {@link ChannelSettings}. */
  flushInterval: number;
  /** The history has every entry after `trimmedUpTo`, and new ones arrive. Always so without a broker. */
  isOpen: boolean;
  /** A read of it by {@link BrokerSync} is under way. Entries may arrive already. */
  isBeingRead = false;
  /** The history reaches back as far as the broker's. Always so without a broker. */
  isWhole: boolean;
  /** How often entries were lost on their way from the broker, or evicted, so that it has to be read again. */
  losses = 0;
  /** The newest position it had when it was last dropped from memory. 0: unknown. */
  rememberedUpTo: Position = 0;
  /** The position of its `end`, if it has ended. */
  endedAt: Position | undefined;
  /** The channel has begun again after an end here: entries up to it are to be dropped. 0: none. */
  #dropUpTo: Position = 0;
  /** Entries up to here were dropped because the channel began again. */
  droppedUpTo: Position = 0;
  /** Entries up to here were evicted before connected streams had received them. */
  undeliveredUpTo: Position = 0;
  counts: ChannelCounts | undefined;
  readonly listeners = new Set<LogListener>();
  /** Streams that are about to begin, or wait, need the entries after these. */
  readonly retentions = new Set<Retention>();
  #snapshots: Snapshots | undefined;
  /** Superseded entries up to here are skipped: live streams have received them. */
  #deliveredUpTo: Position;
  readonly #pieces: Pieces;
  readonly #isSkipped = (entry: LogEntry) => entry.isSuperseded && entry.position <= this.#deliveredUpTo;

  /**
   * @param trimmedUpTo entries of the channel up to here may have been forgotten.
   * @param piecesInUse see {@link Pieces}.
   * @param isRemote a broker has its log.
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

  /** Whether the broker has to be asked for the entries after a position. */
  lacks(after: Position): boolean {
    return !this.isOpen || (!this.isWhole && after < this.history.trimmedUpTo);
  }

  /**
   * Whether a client is told when it has missed entries. A channel without history promises nothing, unless it has a
   * snapshot by which a client gets its state again.
   */
  get reportsLoss(): boolean {
    return !this.history.isLiveOnly || this.#snapshots !== undefined;
  }

  /** The newest entries that are missing were dropped because the channel began again. */
  get hasBegunAgain(): boolean {
    return this.droppedUpTo > 0 && this.history.trimmedUpTo <= this.droppedUpTo;
  }

  /** Whether a stream that lacks entries is closed. What was dropped because the channel began again is no reason. */
  get disconnectsSlow(): boolean {
    return this.overflow === 'disconnect' && !this.hasBegunAgain;
  }

  /** Whether a new subscriber receives the current state first. */
  get hasState(): boolean {
    return this.history.keep.compact || this.#snapshots !== undefined;
  }

  requestSnapshot(head: Position): Snapshot | undefined {
    return this.#snapshots?.request(head, this.history.trimmedUpTo);
  }

  /** Takes other settings, and retains what it has by them. */
  configure({ overflow, snapshot, flushInterval, ...keep }: ChannelSettings): void {
    this.overflow = overflow;
    this.flushInterval = flushInterval;
    this.#snapshots = snapshot && new Snapshots(this.name, snapshot);
    const before = this.history.keep;
    if (KEEP.every(name => before[name] === keep[name])) return;
    const { trimmedUpTo, newest, isBlank } = this.history;
    this.#replace(new History(keep, trimmedUpTo, isBlank ? undefined : newest), this.history.entriesAfter(0));
  }

  /** Takes the entries that a broker has and this process lacks. */
  fill({ entries, after, upTo, newest, isWhole }: Filling): void {
    const { keep, trimmedUpTo } = this.history;
    // Nothing older was read than what is here.
    if (this.isOpen && after >= trimmedUpTo) {
      this.isWhole ||= isWhole;
      return;
    }
    // Entries that arrived since and were trimmed already leave a gap between the two.
    const isJoined = trimmedUpTo <= upTo;
    if (isJoined && (!this.isOpen || after < trimmedUpTo)) {
      // An open channel lacks older entries only.
      const seam = this.isOpen ? trimmedUpTo : upTo;
      const older = entries.filter(({ position }) => position <= seam);
      this.#replace(new History(keep, after, newest), [...older, ...this.history.entriesAfter(seam)]);
    }
    this.isOpen = true;
    this.isWhole = isJoined && isWhole;
  }

  /**
   * Entries were lost on their way from the broker: drops everything. The channel has to be opened again, since what was
   * lost may be newer than the head.
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
    // Not `append`: whether it has ended is known.
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

  /** The channel has begun again after its end. Its earlier entries go once live streams have received them. */
  beginAfter(end: Position): void {
    this.#dropUpTo = Math.max(this.#dropUpTo, end);
  }

  /** The position before everything that it has had since it began, or began again. */
  get beginning(): Position {
    return Math.max(this.history.beginning, this.#dropUpTo);
  }

  /** The next piece after a position, if there is one. */
  pieceAfter(position: Position): Piece | undefined {
    return this.#pieces.after(position, this.history, this.#isSkipped);
  }

  /** The next entry after a position that is to be sent, if there is one up to another. */
  entryAfter(position: Position, upTo = Number.POSITIVE_INFINITY): LogEntry | undefined {
    let index = this.history.indexAfter(position);
    for (let entry = this.history.at(index); entry !== undefined; entry = this.history.at(++index)) {
      if (entry.position > upTo) break;
      if (!this.#isSkipped(entry)) return entry;
    }
    return undefined;
  }

  /** Whether a client that resumes at a position would soon receive a reset. */
  isAboutToTrim(position: Position, now: number): boolean {
    return this.reportsLoss && (this.#dropUpTo > position || this.history.isAboutToTrim(position, now));
  }

  /** Trims what exceeds the limits, of what every live stream has been given. */
  trim(given: Position, now: number): void {
    // While other channels wait in a flush window, what every stream has of this one is ahead of what all have of all.
    const deliveredUpTo = Math.max(this.#deliveredUpTo, given);
    this.#deliveredUpTo = deliveredUpTo;
    this.#pieces.clear();
    if (this.#dropUpTo > 0 && this.#dropUpTo <= deliveredUpTo) {
      this.history.drop(this.#dropUpTo);
      this.droppedUpTo = this.#dropUpTo;
      this.#dropUpTo = 0;
    }
    let upTo = deliveredUpTo;
    if (this.history.bytes < this.history.keep.bytes + MAX_RETAINED) {
      for (const { start } of this.retentions) upTo = Math.min(upTo, start);
    }
    const { trimmedUpTo, keep } = this.history;
    this.history.trim(deliveredUpTo, upTo, now);
    // A broker may still have the tombstone that was trimmed: by its clock, or because another process had it read.
    if (keep.compact && this.history.trimmedUpTo > trimmedUpTo) this.isWhole = false;
  }

  /** Evicts at least `excess` bytes, oldest entries first, up to a position. Returns how many entries. */
  evict(upTo: Position, excess: number): number {
    const { trimmedUpTo, size } = this.history;
    this.history.evict(upTo, excess);
    if (this.history.trimmedUpTo === trimmedUpTo) return 0;
    this.losses += 1;
    this.#pieces.clear();
    this.isWhole = false;
    return size - this.history.size;
  }

  /** Evicts entries that connected streams have not received. They get a reset, whatever the channel retains. */
  evictUndelivered(upTo: Position, excess: number): number {
    const evicted = this.evict(upTo, excess);
    this.undeliveredUpTo = this.history.trimmedUpTo;
    return evicted;
  }
}
