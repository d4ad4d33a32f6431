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
  /** The newest position there has been. */
  newest: Position;
  /** Nothing is known of the channel: it is new, or was forgotten. */
  isBlank: boolean;
  /** Bytes of all entries. */
  bytes = 0;
  readonly keep: LocalKeep;
  /** With which new entries are compressed. */
  readonly window: Window | undefined;
  #entries: LogEntry[] = [];
  /** Entries before this index have been dropped, and are removed together later. */
  #first = 0;
  #superseded = 0;
  /** Tombstones, oldest first. */
  readonly #tombstones = new Set<LogEntry>();
  readonly #latestOf = new Map<string, LogEntry>();
  #written = 0;

  /** @param newest the newest position of the channel, if anything is known of it. */
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

  /** Bytes in memory: those of all entries, and of what new ones are compressed with. */
  get retainedBytes(): number {
    return this.bytes + (this.window?.bytes ?? 0);
  }

  /** How many events it retains. */
  get retained(): number {
    return this.size - this.#superseded;
  }

  /** Whether it retains nothing beyond what live streams have yet to receive. */
  get isLiveOnly(): boolean {
    const { events, bytes, age } = this.keep;
    return events === 0 || bytes === 0 || age === 0;
  }

  append(entry: LogEntry): void {
    this.newest = entry.position;
    this.isBlank = false;
    // Nothing of it is ever sent or asked for.
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
    // Most callers ask for the entries that have just come.
    if (high > low && (this.#entries[high - 1] as LogEntry).position <= position) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle] as LogEntry).position > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** How many entries there are from an index on. */
  countFrom(index: number): number {
    return this.#entries.length - index;
  }

  /** Undefined past the end. Indexes hold until the next `append` or `trim`. */
  at(index: number): LogEntry | undefined {
    return this.#entries[index];
  }

  /** The retained entries after a position. */
  entriesAfter(position: Position): LogEntry[] {
    return this.#entries.slice(this.indexAfter(position)).filter(entry => !entry.isSuperseded);
  }

  /** The position before all retained entries. */
  get beginning(): Position {
    return this.keep.compact ? 0 : this.trimmedUpTo;
  }

  /** The position before the last `count` events that are not newer than another position. */
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
   * Whether trimming has passed a position, or soon may: what is newer fills half of a limit, or has half of the age at
   * which it is trimmed.
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

  /** Whether the oldest entry has reached half of the age at which it is trimmed. */
  isAging(now: number): boolean {
    const oldest = this.#entries[this.#first];
    return oldest !== undefined && oldest.at + this.keep.age / 2 < now;
  }

  /**
   * Trims what exceeds the limits, oldest first.
   *
   * @param deliveredUpTo every live stream has been given everything up to here: superseded entries of it go.
   * @param upTo nothing newer is trimmed.
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
    // An `end` or a `begin` that is the last entry takes no event's place.
    const unsent = last !== undefined && last.frame === undefined ? 1 : 0;
    const count = this.size - this.#superseded - this.#tombstones.size - unsent;
    return isOld || count > events || this.bytes > bytes;
  }

  /** A tombstone need not be kept for ever: a client that missed it gets a reset. */
  #forgetKey(tombstone: LogEntry): void {
    this.trimmedUpTo = Math.max(this.trimmedUpTo, tombstone.position);
    this.#latestOf.delete(tombstone.key);
    this.#supersede(tombstone);
  }

  #drop(entry: LogEntry): void {
    // A client that lacks an `end` or a `begin` has missed no event.
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

  /** Frees memory once half of the list is dropped, so that each entry is moved once, on average. */
  #removeDropped(deliveredUpTo: Position): void {
    if (this.#first + this.#superseded < 32 + this.#entries.length / 2) return;
    const isDropped = ({ isSuperseded, position }: LogEntry) => isSuperseded && position <= deliveredUpTo;
    this.#entries = this.#entries.filter((entry, index) => index >= this.#first && !isDropped(entry));
    this.#first = 0;
    this.#superseded = this.#entries.filter(entry => entry.isSuperseded).length;
  }
}
