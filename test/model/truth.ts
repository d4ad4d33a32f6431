import { type ChannelName, KEYS, type Setting } from './course.ts';

/** A place in the order of all entries of a course: epochs follow each other, and so do the positions in each. */
export type Order = number;

/** Positions of one epoch, at most. So few that places in the order are small integers, which take no memory. */
export const EPOCH = 1e7;
/** What an entry takes in a history beside its data, at most. */
const OVERHEAD = 512;
/** ms */
const TICK = 200;

/** An entry that is stored. */
export interface Stored {
  readonly order: Order;
  /** The number of its publish in the course; 0 for what is no event. */
  readonly n: number;
  readonly channel: ChannelName;
  readonly kind: 'event' | 'gone' | 'end' | 'begin';
  readonly key: string;
  /** The owner that does not get it. */
  readonly except: string | undefined;
  /** ms */
  readonly at: number;
  /** Countable entries of its channel before this one, and their bytes. */
  readonly count: number;
  readonly bytes: number;
  /** There is a newer event of its key in the same life of the channel. */
  isSuperseded: boolean;
}

/** All entries of one channel, retained or not. */
export class ChannelTruth {
  readonly name: ChannelName;
  readonly setting: Setting;
  readonly entries: Stored[] = [];
  /** The newest of each key. */
  readonly latest = new Map<string, Stored>();
  /** The newest of each key, of this epoch and life. */
  readonly newest = new Map<string, Stored>();
  endedAt: Order | undefined;
  /** When it began again. */
  begunAt: Order = -1;
  /** Nothing up to here can be had any more: it is of another epoch, or of an earlier life of the channel. */
  droppedUpTo: Order = -1;

  constructor(name: ChannelName, setting: Setting) {
    this.name = name;
    this.setting = setting;
  }

  /** Countable entries so far, and the bytes of all. */
  count = 0;
  bytes = 0;

  /** Its first entry of this epoch. */
  get firstOrder(): Order {
    const { last } = this;
    const epoch = last === undefined ? 0 : last.order - (last.order % EPOCH);
    return this.entries.find(({ order }) => order > epoch)?.order ?? Number.POSITIVE_INFINITY;
  }

  get last(): Stored | undefined {
    return this.entries.at(-1);
  }

  /** Whether the channel has had an entry in this epoch. */
  get isKnown(): boolean {
    return (this.last?.order ?? -1) > this.droppedUpTo;
  }

  /** A new subscriber gets the current state first. */
  get hasState(): boolean {
    return this.setting.compact || this.setting.snapshot !== null;
  }

  get keepsNothing(): boolean {
    const { history } = this.setting;
    return history === false || history.events === 0;
  }

  /** The index of the first entry after a place in the order. */
  indexAfter(order: Order): number {
    const { entries } = this;
    let index = entries.length;
    while (index > 0 && (entries[index - 1] as Stored).order > order) index -= 1;
    return index;
  }

  /**
   * Whether an entry may have been trimmed. If it is the newest of its key in a compacted channel: whether that has.
   *
   * @param now ms
   */
  mayBeGone(entry: Stored, now: number): boolean {
    if (entry.order <= this.droppedUpTo) return true;
    const { history, compact } = this.setting;
    if (history === false) return true;
    const { events = 256, bytes = 1024 * 1024, age = 5 * 60_000 } = history;
    // The clock of a hub is behind by one tick.
    const isOld = entry.at + age < now + TICK;
    if (compact) return events < KEYS || (entry.kind === 'gone' && isOld);
    return isOld || this.count - entry.count > events || this.bytes - entry.bytes > bytes;
  }

  /** Whether something after one place in the order, and up to another, may have been trimmed. */
  mayHaveTrimmed(after: Order, now: number, upTo: Order = Number.POSITIVE_INFINITY): boolean {
    for (let index = this.indexAfter(after); index < this.entries.length; index++) {
      const entry = this.entries[index] as Stored;
      if (entry.order > upTo) return false;
      if (this.mayBeGone(entry, now)) return true;
      // Where nothing is deleted for its key, what follows is younger.
      if (!this.setting.compact) return false;
    }
    return false;
  }

  /** The newest entry, up to a place in the order, that may have been trimmed. */
  trimmedUpTo(now: number, upTo: Order): Order {
    for (let index = this.indexAfter(upTo) - 1; index >= 0; index--) {
      const entry = this.entries[index] as Stored;
      if (this.mayBeGone(entry, now)) return entry.order;
    }
    return -1;
  }
}

/** What has really been stored: the judge compares with it what clients are given. */
export class Truth {
  readonly channels = new Map<ChannelName, ChannelTruth>();
  /** What ids of each epoch begin with; undefined as long as nobody has seen one. */
  readonly epochs: (string | undefined)[] = [undefined];
  readonly #settings: (channel: ChannelName) => Setting;
  readonly #byN = new Map<number, Stored>();
  /** Positions that were skipped. */
  readonly #breaks: [after: Order, before: Order][] = [];
  #head: Order = 0;

  constructor(settings: (channel: ChannelName) => Setting) {
    this.#settings = settings;
  }

  /** Where the newest entry stands. */
  get head(): Order {
    return this.#head;
  }

  get epoch(): number {
    return this.epochs.length - 1;
  }

  channel(name: ChannelName): ChannelTruth {
    let channel = this.channels.get(name);
    if (channel === undefined) {
      channel = new ChannelTruth(name, this.#settings(name));
      this.channels.set(name, channel);
    }
    return channel;
  }

  find(n: number): Stored | undefined {
    return this.#byN.get(n);
  }

  /**
   * @param at ms
   * @param position Default: the next.
   */
  append(
    entry: Omit<Stored, 'order' | 'at' | 'count' | 'bytes' | 'isSuperseded'>,
    at: number,
    size: number,
    position = this.#head - this.epoch * EPOCH + 1,
  ): Stored {
    const channel = this.channel(entry.channel);
    const { n, kind, key, except } = entry;
    const isCountable = kind === 'event' || kind === 'gone';
    const stored: Stored = {
      order: this.orderOf(this.epoch, position),
      n,
      channel: entry.channel,
      kind,
      key,
      except,
      at,
      count: channel.count,
      bytes: channel.bytes,
      isSuperseded: false,
    };
    if (isCountable) channel.count += 1;
    channel.bytes += size + OVERHEAD;
    this.#head = stored.order;
    channel.entries.push(stored);
    if (kind === 'end') channel.endedAt = stored.order;
    else if (kind === 'begin') {
      channel.droppedUpTo = channel.endedAt ?? channel.droppedUpTo;
      channel.begunAt = stored.order;
      channel.endedAt = undefined;
      channel.newest.clear();
    } else {
      const older = channel.latest.get(key);
      if (older !== undefined) older.isSuperseded = true;
      channel.latest.set(key, stored);
      channel.newest.set(key, stored);
      this.#byN.set(n, stored);
    }
    return stored;
  }

  /** A position that is given to what is no entry of these channels. */
  pass(position: number): void {
    this.#head = this.orderOf(this.epoch, position);
  }

  /** Positions after the newest were skipped. */
  skip(before: number): void {
    this.#breaks.push([this.#head, this.orderOf(this.epoch, before)]);
  }

  /** Another epoch begins: nothing of what there was can be had any more. */
  startOver(name?: string): void {
    for (const channel of this.channels.values()) {
      channel.droppedUpTo = this.#head;
      channel.endedAt = undefined;
      channel.newest.clear();
    }
    this.epochs.push(name);
    this.#head = this.epoch * EPOCH;
  }

  orderOf(epoch: number, position: number): Order {
    return epoch * EPOCH + position;
  }

  epochOf(order: Order): number {
    return Math.floor(order / EPOCH);
  }

  /** An id, for people. */
  show(order: Order): string {
    if (order < 0 || !Number.isFinite(order)) return '-';
    const position = order % EPOCH;
    return order < EPOCH ? String(position) : `${this.epochOf(order)}:${position}`;
  }

  /** Whether there is such a position: it is not of the future, and not skipped. */
  isPlace(order: Order, head: Order): boolean {
    return order <= head && !this.#breaks.some(([after, before]) => order > after && order < before);
  }

  /** In the middle of what was skipped last. */
  get broken(): Order | undefined {
    const last = this.#breaks.at(-1);
    return last && this.epochOf(last[0]) === this.epoch ? last[0] + 5 : undefined;
  }
}
