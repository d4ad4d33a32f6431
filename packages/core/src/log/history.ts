import { Window } from '../compression/window.ts';
import type { Position } from '../protocol/event-id.ts';
import type { LogEntry } from './entry.ts';
import type { LocalKeep } from './keep.ts';

/** The bounded log of one channel. */
export class History {
  /**
   * Entries up to this position may have been trimmed. A compacted history may still have the latest entry of some keys
   * from before it.
   */
  trimmedUpTo: Position;
  /** The position of the last entry, retained or not. */
  newest: Position;
  /** No entry was ever appended, as far as is known: the channel is new, or its record was dropped. */
  isBlank: boolean;
  /** Bytes of all entries. */
  bytes = 0;
  readonly keep: LocalKeep;
  /** The entries with which new ones are compressed. Absent: the channel is not compressed. */
  readonly window: Window | undefined;
  #entries: LogEntry[] = [];
  /** Entries before this index were dropped. They are removed from the array later, many at a time. */
  #first = 0;
  /** Number of superseded entries from `#first` on. */
  #superseded = 0;
  /** Tombstones, oldest first. */
  readonly #tombstones = new Set<LogEntry>();
  /** By key, in a compacted history. */
  readonly #latestOf = new Map<string, LogEntry>();
  /** Bytes of all entries that were ever appended. */
  #written = 0;

  /** @param newest the newest position of the channel. Absent: unknown. */
  constructor(keep: LocalKeep, trimmedUpTo: Position, newest?: Position) {
    this.keep = keep;
    this.window = keep.compression && new Window(keep.compression);
    this.trimmedUpTo = trimmedUpTo;
    this.newest = newest ?? trimmedUpTo;
    this.isBlank = newest === undefined;
  }

  get size(): number {
    return this.#entries.length - this.#first;
  }

  /** Bytes in memory: those of the entries, and of the compression window. */
  get retainedBytes(): number {
    return this.bytes + (this.window?.bytes ?? 0);
  }

  /** Number of retained entries that are not superseded. */
  get retained(): number {
    return this.size - this.#superseded;
  }

  /** Whether entries are retained only until live streams have received them. */
  get isLiveOnly(): boolean {
    const { events, bytes, age } = this.keep;
    return events === 0 || bytes === 0 || age === 0;
  }

  append(entry: LogEntry): void {
    this.newest = entry.position;
    this.isBlank = false;
    // Control messages are applied when they arrive, and are never sent.
    if (entry.kind === 'control') return;
    entry.writtenBefore = this.#written;
    this.#written += entry.size;
    this.bytes += entry.size;
    if (this.keep.compact && entry.frame !== undefined) {
      const older = this.#latestOf.get(entry.key);
      if (older !== undefined) this.#supersede(older);
      this.#latestOf.set(entry.key, entry);
      if (entry.kind === 'gone') this.#tombstones.add(entry);
    }
    this.#entries.push(entry);
    this.window?.add(entry);
  }

  /** The index of the first entry after a position, for `at`. */
  indexAfter(position: Position): number {
    let low = this.#first;
    let high = this.#entries.length;
    // The most common case: the position is that of the last entry.
    if (high > low && (this.#entries[high - 1] as LogEntry).position <= position) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle] as LogEntry).position > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Number of entries from an index on. */
  countFrom(index: number): number {
    return this.#entries.length - index;
  }

  /** Undefined past the end. Indexes hold until the next `append` or `trim`. */
  at(index: number): LogEntry | undefined {
    return this.#entries[index];
  }

  /** The retained entries after a position, without superseded ones. */
  entriesAfter(position: Position): LogEntry[] {
    return this.#entries.slice(this.indexAfter(position)).filter(entry => !entry.isSuperseded);
  }

  /** The position before all retained entries. */
  get beginning(): Position {
    return this.keep.compact ? 0 : this.trimmedUpTo;
  }

  /** The position before the last `count` events up to the position `newest`. */
  positionBefore(count: number, newest: Position): Position {
    if (count === 0) return newest;
    let left = count;
    for (let index = this.indexAfter(newest) - 1; index >= this.#first; index--) {
      const entry = this.#entries[index] as LogEntry;
      if (entry.isSuperseded || entry.frame === undefined) continue;
      if (left === 0) return entry.position;
      left -= 1;
    }
    return this.beginning;
  }

  /**
   * Whether entries after a position were trimmed, or may soon be: the newer entries use more than half of a limit, or
   * the first of them has reached half of the maximum age.
   *
   * @param now ms, by the clock of the hub.
   */
  isAboutToTrim(position: Position, now: number): boolean {
    const { events, bytes, age } = this.keep;
    const index = this.indexAfter(position);
    const next = this.#entries[index];
    if (this.trimmedUpTo > position) return true;
    if (next === undefined) return false;
    const count = this.#entries.length - index;
    const size = this.#written - next.writtenBefore;
    const isLarge = count > events / 2 || size > bytes / 2;
    return isLarge || next.at + age / 2 < now || this.#hasTombstoneToTrim(position);
  }

  /** Tombstones are trimmed before older events. */
  #hasTombstoneToTrim(position: Position): boolean {
    if (this.bytes <= this.keep.bytes) return false;
    return [...this.#tombstones].some(tombstone => tombstone.position > position);
  }

  /** Whether the oldest entry has reached half of the maximum age. */
  isAging(now: number): boolean {
    const oldest = this.#entries[this.#first];
    return oldest !== undefined && oldest.at + this.keep.age / 2 < now;
  }

  /**
   * Trims to the limits, oldest entries first.
   *
   * @param deliveredUpTo every live stream has received the entries up to this position. Superseded ones are removed.
   * @param upTo entries after this position are not trimmed.
   * @param now ms, by the clock of the hub.
   */
  trim(deliveredUpTo: Position, upTo: Position, now: number): void {
    this.window?.endRound(deliveredUpTo);
    for (const entry of this.#tombstones) {
      const isOld = entry.at + this.keep.age < now || this.#tombstones.size > this.keep.events;
      if (entry.position > upTo || !(isOld || this.bytes > this.keep.bytes)) break;
      this.#forgetKey(entry);
    }
    this.#dropWhile(deliveredUpTo, entry => entry.position <= upTo && this.#isOverLimits(entry, now));
  }

  /** Drops all entries up to a position. */
  drop(upTo: Position): void {
    this.#dropWhile(upTo, entry => entry.position <= upTo);
  }

  /** Evicts at least `excess` bytes, oldest entries first, up to `deliveredUpTo`. */
  evict(deliveredUpTo: Position, excess: number): void {
    const target = this.bytes - (excess - (this.window?.bytes ?? 0));
    this.window?.clear();
    this.#dropWhile(deliveredUpTo, entry => entry.position <= deliveredUpTo && this.bytes > target);
  }

  #dropWhile(deliveredUpTo: Position, isDue: (entry: LogEntry) => boolean): void {
    for (let entry = this.at(this.#first); entry !== undefined; entry = this.at(this.#first)) {
      if (entry.isSuperseded && entry.position <= deliveredUpTo) this.#superseded -= 1;
      else if (!entry.isSuperseded && isDue(entry)) this.#drop(entry);
      else break;
      this.#first += 1;
    }
    this.#removeDropped(deliveredUpTo);
  }

  #isOverLimits(entry: LogEntry, now: number): boolean {
    const { events, bytes, age, compact } = this.keep;
    const isOld = entry.at + age < now && !compact;
    const last = this.#entries.at(-1);
    // An `end` or a `begin` as the last entry does not count against the limit of events.
    const unsent = last !== undefined && last.frame === undefined ? 1 : 0;
    const count = this.size - this.#superseded - this.#tombstones.size - unsent;
    return isOld || count > events || this.bytes > bytes;
  }

  /** Removes a tombstone. A client that missed it receives a reset. */
  #forgetKey(tombstone: LogEntry): void {
    this.trimmedUpTo = Math.max(this.trimmedUpTo, tombstone.position);
    this.#latestOf.delete(tombstone.key);
    this.#supersede(tombstone);
  }

  #drop(entry: LogEntry): void {
    // A client that has missed an `end` or a `begin` has missed no event.
    if (entry.frame !== undefined) this.trimmedUpTo = Math.max(this.trimmedUpTo, entry.position);
    this.bytes -= entry.size;
    this.#tombstones.delete(entry);
    if (this.#latestOf.get(entry.key) === entry) this.#latestOf.delete(entry.key);
  }

  #supersede(entry: LogEntry): void {
    entry.isSuperseded = true;
    this.#tombstones.delete(entry);
    this.bytes -= entry.size;
    this.#superseded += 1;
  }

  /** Removes dropped entries once they are half of the array, so that each entry is moved about once. */
  #removeDropped(deliveredUpTo: Position): void {
    if (this.#first + this.#superseded < 32 + this.#entries.length / 2) return;
    const isDropped = ({ isSuperseded, position }: LogEntry) => isSuperseded && position <= deliveredUpTo;
    this.#entries = this.#entries.filter((entry, index) => index >= this.#first && !isDropped(entry));
    this.#first = 0;
    this.#superseded = this.#entries.filter(entry => entry.isSuperseded).length;
  }
}
