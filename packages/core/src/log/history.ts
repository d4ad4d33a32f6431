import type { LogEntry } from './entry.ts';
import type { Position } from './position.ts';

/** What a history keeps. */
export interface Keep {
  /** Events; of a compacted history, keys. */
  events: number;
  bytes: number;
  /** Ms. */
  age: number;
  /** Only the newest event of each key. */
  compact: boolean;
}

const BLOCK = 64 * 1024;

/** The log of one channel, bounded. */
export class History {
  /**
   * Who is at a position before it may have missed something that has left. All that is up to it has; of a compacted
   * history, the newest of some keys may be there yet.
   */
  floor: Position;
  /** Of the newest entry there has been. */
  newest: Position;
  /** Nothing is known of the channel: it is new, or was forgotten. */
  isBlank: boolean;
  /** Of all that is kept. */
  bytes = 0;
  readonly keep: Keep;
  #entries: LogEntry[] = [];
  /** Entries before it have been dropped, and wait to be cut off together. */
  #first = 0;
  #superseded = 0;
  /** Entries that say that a key is gone, oldest first. */
  readonly #gone = new Set<LogEntry>();
  readonly #newestOf = new Map<string, LogEntry>();
  #written = 0;

  /** @param newest of the channel, if anything is known of it. */
  constructor(keep: Keep, floor: Position, newest?: Position) {
    this.keep = keep;
    this.floor = floor;
    this.newest = newest ?? floor;
    this.isBlank = newest === undefined;
  }

  get size(): number {
    return this.#entries.length - this.#first;
  }

  append(entry: LogEntry): void {
    this.#written += entry.size;
    entry.block = Math.floor(this.#written / BLOCK);
    this.bytes += entry.size;
    this.newest = entry.position;
    this.isBlank = false;
    if (this.keep.compact && !entry.isEnd && !entry.isBegin) {
      const older = this.#newestOf.get(entry.key);
      if (older !== undefined) this.#supersede(older);
      this.#newestOf.set(entry.key, entry);
      if (entry.isGone) this.#gone.add(entry);
    }
    this.#entries.push(entry);
  }

  /** The index of the first entry after a position, for `at`. */
  indexAfter(position: Position): number {
    let low = this.#first;
    let high = this.#entries.length;
    // Most ask for what has just come.
    if (high > low && (this.#entries[high - 1] as LogEntry).position <= position) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle] as LogEntry).position > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Undefined past the end. Indexes hold until the next `append` or `trim`. */
  at(index: number): LogEntry | undefined {
    return this.#entries[index];
  }

  /** What is kept that is newer than a position. */
  entriesAfter(position: Position): LogEntry[] {
    return this.#entries.slice(this.indexAfter(position)).filter(entry => !entry.isSuperseded);
  }

  /** Before all that is kept. */
  get beginning(): Position {
    return this.keep.compact ? 0 : this.floor;
  }

  /** The position before the last `count` events that are not newer than another. */
  positionBefore(count: number, newest: Position): Position {
    if (count === 0) return newest;
    let left = count;
    for (let index = this.indexAfter(newest) - 1; index >= this.#first; index--) {
      const entry = this.#entries[index] as LogEntry;
      if (entry.isSuperseded || entry.isEnd || entry.isBegin) continue;
      if (left === 0) return entry.position;
      left -= 1;
    }
    return this.beginning;
  }

  /**
   * Drops what is over the limits, oldest first, of what every live stream has been given.
   *
   * @param passed every live stream has been given everything up to here: what is superseded of it goes.
   * @param kept nothing newer is over the limits.
   * @param now ms, by the clock of the hub.
   */
  trim(passed: Position, kept: Position, now: number): void {
    for (const entry of this.#gone) {
      const isOld = entry.at + this.keep.age < now || this.#gone.size > this.keep.events;
      if (entry.position > kept || !(isOld || this.bytes > this.keep.bytes)) break;
      this.#forget(entry);
    }
    this.#dropWhile(passed, entry => entry.position <= kept && this.#isOver(entry, now));
  }

  /** Drops the oldest, of what is not newer than `passed`, until it takes so many bytes less. */
  release(passed: Position, excess: number): void {
    const enough = this.bytes - excess;
    this.#dropWhile(passed, entry => entry.position <= passed && this.bytes > enough);
  }

  #dropWhile(passed: Position, isDue: (entry: LogEntry) => boolean): void {
    for (let entry = this.at(this.#first); entry !== undefined; entry = this.at(this.#first)) {
      if (entry.isSuperseded && entry.position <= passed) this.#superseded -= 1;
      else if (!entry.isSuperseded && isDue(entry)) this.#drop(entry);
      else break;
      this.#first += 1;
    }
    this.#tidy(passed);
  }

  #isOver(entry: LogEntry, now: number): boolean {
    const { events, bytes, age, compact } = this.keep;
    const isOld = entry.at + age < now && !compact;
    const ends = this.#entries.at(-1)?.isEnd ? 1 : 0;
    const count = this.size - this.#superseded - this.#gone.size - ends;
    return isOld || count > events || this.bytes > bytes;
  }

  /** That a key is gone need not be known for ever: who has missed it is told that something is missing. */
  #forget(entry: LogEntry): void {
    this.floor = Math.max(this.floor, entry.position);
    this.#newestOf.delete(entry.key);
    this.#supersede(entry);
  }

  #drop(entry: LogEntry): void {
    this.floor = Math.max(this.floor, entry.position);
    this.bytes -= entry.size;
    this.#gone.delete(entry);
    if (this.#newestOf.get(entry.key) === entry) this.#newestOf.delete(entry.key);
  }

  #supersede(entry: LogEntry): void {
    entry.isSuperseded = true;
    this.#gone.delete(entry);
    this.bytes -= entry.size;
    this.#superseded += 1;
  }

  /** Gives memory back once half of the list is dead, so that each entry is moved once, on average. */
  #tidy(passed: Position): void {
    if (this.#first + this.#superseded < 32 + this.#entries.length / 2) return;
    const isDead = ({ isSuperseded, position }: LogEntry) => isSuperseded && position <= passed;
    this.#entries = this.#entries.filter((entry, index) => index >= this.#first && !isDead(entry));
    this.#first = 0;
    this.#superseded = this.#entries.filter(entry => entry.isSuperseded).length;
  }
}
