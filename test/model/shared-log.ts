// Before the core, which keeps the `setImmediate` that it finds.
import './turns.ts';

import {
  type Broker,
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
import { type Call, HABITS, type Habits } from './course.ts';
import { tick } from './turns.ts';

interface Stored {
  entries: Entry[];
  keep: Readonly<Keep>;
  trimmedUpTo: Position;
  last: Position;
  endedAt: Position | undefined;
}

/** What is on its way to a node. */
type Delivery = Entry;

/** The log that the nodes of a test share: what a broker's server would be, with faults to order. */
export class SharedLog {
  epoch = 'life1';
  head: Position = 0;
  /** Told of every entry that is stored. */
  onAppend: ((entry: Entry, from: VirtualBroker) => void) | undefined;
  /** Told of positions that are skipped: those before this one. */
  onSkip: ((before: Position) => void) | undefined;
  readonly habits: Habits;
  readonly nodes: VirtualBroker[] = [];
  readonly channels = new Map<string, Stored>();
  readonly #breaks: [after: Position, before: Position][] = [];
  #skips = 0;
  #isAway = false;
  #waiting: (() => void)[] = [];

  constructor(habits: Partial<Habits> = {}) {
    this.habits = { ...HABITS, ...habits };
  }

  /** Calls are answered only while it is there. */
  get isAway(): boolean {
    return this.#isAway;
  }

  set isAway(isAway: boolean) {
    this.#isAway = isAway;
    if (!isAway) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when it is there. */
  async reached(): Promise<void> {
    while (this.#isAway) await new Promise<void>(resolve => this.#waiting.push(resolve));
  }

  append({ keep, ...draft }: Draft, from: VirtualBroker): Position | TidingsError {
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
    this.onAppend?.(entry, from);
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
      trimmedUpTo: stored?.trimmedUpTo ?? 0,
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
    for (const node of this.nodes) node.startOver();
  }
}

/** One node's access to a {@link SharedLog}. */
export class VirtualBroker implements Broker {
  /** What comes is kept back. */
  isBehind = false;
  /** The newest position of which the hub has been told by itself. */
  told: Position = 0;
  /** The head that `start` answered. */
  startedAt: Position | undefined;
  /** The number of the epoch in which that was. */
  startedIn = 0;
  /** Told of a new epoch. */
  onRestart: (() => void) | undefined;
  readonly #log: SharedLog;
  readonly #open = new Set<string>();
  readonly #rejects = new Map<Call, { stored: boolean }[]>();
  #sink: Sink | undefined;
  #inbox: Delivery[] = [];
  #generation = 0;
  #isDelivering = false;

  constructor(log: SharedLog) {
    this.#log = log;
    log.nodes.push(this);
  }

  async start(sink: Sink): Promise<LogHead> {
    await this.#travel(this.#log.habits.before);
    if (this.#isRejected('start')) throw new TidingsError('broker', 'start');
    this.#sink = sink;
    this.#log.introduce(sink);
    const { epoch, head } = this.#log;
    this.startedAt = this.told = head;
    this.startedIn = Number(epoch.slice(4)) - 1;
    return { epoch, head };
  }

  async publish(drafts: readonly Draft[], deadline?: AbortSignal): Promise<Published> {
    const { before, publishAfter } = this.#log.habits;
    await this.#travel(before, deadline);
    if (deadline?.aborted) throw new TidingsError('not-stored', 'away');
    const rejected = this.#isRejected('publish');
    if (rejected?.stored === false) throw new TidingsError('not-stored', 'rejected');
    const { epoch } = this.#log;
    const results = drafts.map(draft => this.#log.append(draft, this));
    await this.#travel(publishAfter, deadline);
    if (rejected || (publishAfter > 0 && deadline?.aborted)) {
      throw new TidingsError('maybe-stored', 'the answer is lost');
    }
    return { epoch, results };
  }

  async open(wants: ReadonlyMap<string, Position>): Promise<Opened> {
    const { before, after, rejectsOnRestart, isSilent } = this.#log.habits;
    await this.#travel(before);
    for (;;) {
      if (this.#isRejected('open')) throw new TidingsError('broker', 'open');
      const generation = this.#generation;
      if (isSilent) this.#give(this.#inbox.splice(0));
      else this.#deliver();
      const { head } = this.#log;
      const pages = new Map([...wants].map(([name, from]) => [name, this.#log.read(name, from, head)]));
      for (const name of wants.keys()) this.#open.add(name);
      await this.#travel(after);
      if (generation === this.#generation) return { head, pages };
      if (rejectsOnRestart) throw new TidingsError('broker', 'another epoch');
    }
  }

  release(channels: readonly string[]): void {
    for (const name of channels) this.#open.delete(name);
  }

  async read(channel: string, after: Position, until: Position): Promise<Page> {
    return this.#ask('read', () => this.#log.read(channel, after, until));
  }

  async head(): Promise<LogHead> {
    return this.#ask('head', () => ({ epoch: this.#log.epoch, head: this.#log.head }));
  }

  async state(channel: string): Promise<ChannelState> {
    return this.#ask('head', () => this.#log.state(channel));
  }

  async close(): Promise<void> {
    const { nodes } = this.#log;
    if (nodes.includes(this)) nodes.splice(nodes.indexOf(this), 1);
    this.#sink = undefined;
  }

  /** The next call of a kind rejects. */
  rejectNext(call: Call, stored: boolean): void {
    this.#rejects.set(call, [...(this.#rejects.get(call) ?? []), { stored }]);
  }

  receive(delivery: Delivery): void {
    if (this.#open.has(delivery.channel)) this.#inbox.push(delivery);
    if (!this.isBehind) this.#deliverSoon();
  }

  /** What was kept back comes. */
  catchUp(): void {
    this.isBehind = false;
    this.#deliver();
  }

  /** Some of what was kept back comes. */
  trickle(count: number): void {
    if (!this.isBehind) return;
    for (const delivery of this.#inbox.splice(0, count)) this.#give([delivery]);
  }

  /** The channels of which something would be lost. */
  whatWouldBeLost(of?: string): string[] {
    if (of === 'all') return [...this.#open];
    return of === undefined ? [...new Set(this.#inbox.map(({ channel }) => channel))] : [of];
  }

  /** What was kept back is lost, of one channel, or of all. Default: of those that something was kept back of. */
  lose(of?: string): void {
    const names = of === 'all' ? undefined : this.whatWouldBeLost(of);
    this.#inbox = this.#inbox.filter(({ channel }) => of !== undefined && of !== 'all' && channel !== of);
    if (names?.length === 0) return;
    const { lostFirst } = this.#log.habits;
    // With more in the inbox, not everything up to the head has been given.
    if (!lostFirst && this.#inbox.length === 0) this.#advance();
    this.#sink?.lost(names);
    if (lostFirst && this.#inbox.length === 0 && !this.isBehind) this.#advance();
  }

  break(after: Position, before: Position): void {
    this.#sink?.broken(after, before);
  }

  startOver(): void {
    this.#inbox = [];
    this.#open.clear();
    this.#generation += 1;
    this.told = this.#log.head;
    this.onRestart?.();
    this.#sink?.restarted(this.#log.epoch, this.#log.head);
  }

  async #ask<T>(call: 'read' | 'head', effect: () => T): Promise<T> {
    await this.#travel(this.#log.habits.before);
    if (this.#isRejected(call)) throw new TidingsError('broker', call);
    const answer = effect();
    // One turn has passed already.
    await this.#travel(this.#log.habits.after - 1);
    return answer;
  }

  #isRejected(call: Call): { stored: boolean } | undefined {
    return this.#rejects.get(call)?.shift();
  }

  async #travel(turns: number, deadline?: AbortSignal): Promise<void> {
    for (let passed = 0; passed < turns; passed++) {
      await tick();
      if (!this.#log.isAway) continue;
      if (deadline === undefined) await this.#log.reached();
      else if (await this.#isLate(deadline)) return;
      await tick();
    }
  }

  /** Waits until the log is there, or the deadline has passed. */
  async #isLate(deadline: AbortSignal): Promise<boolean> {
    if (deadline.aborted) return true;
    let onAbort: () => void = () => {};
    const aborted = new Promise<void>(resolve => {
      onAbort = resolve;
      deadline.addEventListener('abort', onAbort);
    });
    await Promise.race([aborted, this.#log.reached()]);
    deadline.removeEventListener('abort', onAbort);
    return deadline.aborted;
  }

  async #deliverSoon(): Promise<void> {
    const { deliver } = this.#log.habits;
    if (deliver === 0) return this.#deliver();
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    for (let passed = 0; passed < deliver; passed++) await tick();
    this.#isDelivering = false;
    if (!this.isBehind) this.#deliver();
  }

  #deliver(): void {
    this.#give(this.#inbox.splice(0));
    this.#advance();
  }

  #give(deliveries: readonly Delivery[]): void {
    let entries: Entry[] = [];
    const flush = () => {
      const last = entries.at(-1);
      if (last === undefined) return;
      this.told = Math.max(this.told, last.position);
      this.#sink?.entries(entries);
      entries = [];
    };
    entries.push(...deliveries);
    flush();
  }

  #advance(): void {
    this.told = Math.max(this.told, this.#log.head);
    this.#sink?.advanced(this.#log.head);
  }
}
