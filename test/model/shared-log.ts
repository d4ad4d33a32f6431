// Before the core, which keeps the `setImmediate` that it finds.
import './turns.ts';

import {
  type ChannelState,
  type Draft,
  type Entry,
  type Keep,
  type LogHead,
  type Opened,
  type Page,
  type Position,
  type Published,
  type Sink,
  TidingsError,
} from '@tidings/core';
import { HABITS, type Habits } from './course.ts';
import { ModelBroker, ModelLog } from './model-broker.ts';

interface Stored {
  entries: Entry[];
  keep: Readonly<Keep>;
  trimmedUpTo: Position;
  last: Position;
  endedAt: Position | undefined;
}

/** The log that the nodes of a test share: what a broker's server would be, with faults to order. */
export class SharedLog extends ModelLog {
  head: Position = 0;
  readonly channels = new Map<string, Stored>();
  readonly #breaks: [after: Position, before: Position][] = [];
  #skips = 0;

  constructor(habits: Partial<Habits> = {}) {
    super({ ...HABITS, ...habits });
  }

  createBroker(): VirtualBroker {
    return new VirtualBroker(this);
  }

  async close(): Promise<void> {}

  append({ keep, ...draft }: Draft): Position | TidingsError {
    const stored = this.channels.get(draft.channel) ?? {
      entries: [],
      keep,
      trimmedUpTo: 0,
      last: 0,
      endedAt: undefined,
    };
    if (draft.kind === 'begin') {
      if (stored.endedAt === undefined) return stored.last || this.head;
      stored.entries.length = 0;
      stored.trimmedUpTo = stored.endedAt;
      stored.endedAt = undefined;
    }
    if (stored.endedAt !== undefined) return new TidingsError('ended', 'ended');
    this.channels.set(draft.channel, stored);
    this.#skip();
    this.head += 1;
    const entry: Entry = { ...draft, position: this.head };
    stored.last = this.head;
    if (entry.kind === 'end') stored.endedAt = entry.position;
    this.#retain(stored, entry, keep);
    this.onAppend?.(entry);
    for (const node of this.nodes) node.receive(entry);
    return this.head;
  }

  #retain(stored: Stored, entry: Entry, keep: Readonly<Keep>): void {
    const { entries } = stored;
    if (entry.kind === 'begin') return;
    if (keep.compact && entry.kind !== 'end') {
      const older = entries.findIndex(({ kind, key }) => kind !== 'end' && key === entry.key);
      if (older !== -1) entries.splice(older, 1);
    }
    entries.push(entry);
    const ends = stored.endedAt === undefined ? 0 : 1;
    const excess = entries.length - ends - keep.events;
    if (excess <= 0) return;
    stored.trimmedUpTo = entries[excess - 1]?.position ?? 0;
    entries.splice(0, excess);
  }

  read(name: string, after: Position, until: Position): Page {
    const stored = this.channels.get(name);
    const due = stored?.entries.filter(({ position }) => position > after && position <= until) ?? [];
    const { page } = this.habits;
    return {
      entries: due.slice(0, page),
      // As @tidings/redis and @tidings/sqlite do: what is before the page was not asked for.
      trimmedUpTo: Math.max(stored?.trimmedUpTo ?? 0, Math.min(after, until)),
      more: due.length > page,
      last: stored?.last,
      endedAt: stored?.endedAt,
    };
  }

  state(channel: string): ChannelState {
    const stored = this.channels.get(channel);
    if (stored === undefined || stored.last === 0) return { state: 'unknown', last: 0 };
    return { state: stored.endedAt === undefined ? 'open' : 'ended', last: stored.last };
  }

  /** Tells a node what others have been told. */
  introduce(sink: Sink): void {
    for (const [after, before] of this.#breaks) sink.broken(after, before);
  }

  /** The next entry gets a position that is so many higher than it had to be. */
  skip(count: number): void {
    this.#skips += count;
  }

  #skip(): void {
    if (this.#skips === 0) return;
    const after = this.head;
    this.head += this.#skips;
    this.#skips = 0;
    this.#breaks.push([after, this.head + 1]);
    this.onSkip?.(this.head + 1);
    for (const node of this.nodes) node.break(after, this.head + 1);
  }

  /** Everything is lost, and begins anew. */
  wipe(): void {
    this.epoch = `life${Number(this.epoch.slice(4)) + 1}`;
    this.head = 0;
    this.channels.clear();
    this.#breaks.length = 0;
    this.#skips = 0;
    const { epoch, head } = this;
    for (const node of this.nodes) node.restart({ epoch, head });
  }
}

/** One node's access to a {@link SharedLog}. */
export class VirtualBroker extends ModelBroker {
  readonly #log: SharedLog;

  constructor(log: SharedLog) {
    super(log);
    this.#log = log;
  }

  protected get newest(): Position {
    return this.#log.head;
  }

  protected begin(sink: Sink): LogHead {
    this.#log.introduce(sink);
    return this.headNow();
  }

  protected append(drafts: readonly Draft[]): Published {
    const { epoch } = this.#log;
    return { epoch, results: drafts.map(draft => this.#log.append(draft)) };
  }

  protected openNow(wants: ReadonlyMap<string, Position>): Opened {
    const { head } = this.#log;
    return {
      head,
      pages: new Map([...wants].map(([name, from]) => [name, this.#log.read(name, from, head)])),
    };
  }

  protected readNow(channel: string, after: Position, until: Position): Page {
    return this.#log.read(channel, after, until);
  }

  protected headNow(): LogHead {
    const { epoch, head } = this.#log;
    return { epoch, head };
  }

  protected stateNow(channel: string): ChannelState {
    return this.#log.state(channel);
  }
}
