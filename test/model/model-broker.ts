// Before the core, which keeps the `setImmediate` that it finds.
import './turns.ts';

import {
  type Broker,
  type ChannelState,
  type Draft,
  type Entry,
  type LogHead,
  type Opened,
  type Page,
  type Position,
  type Published,
  type Sink,
  TidingsError,
} from '@tidings/core';
import type { Call, Habits } from './course.ts';
import { tick } from './turns.ts';

/** The log that the nodes of a test share, as far as all stores have it in common. */
export abstract class ModelLog {
  /** `life` and the number of the epoch. */
  epoch = 'life1';
  /** Called with every entry that is stored. */
  onAppend: ((entry: Entry) => void) | undefined;
  /** Called with positions that are skipped: those before this one. */
  onSkip: ((before: Position) => void) | undefined;
  readonly habits: Habits;
  readonly nodes: ModelBroker[] = [];
  #isAway = false;
  #waiting: (() => void)[] = [];

  constructor(habits: Habits) {
    this.habits = habits;
  }

  /** Calls get their reply only while it is reachable. */
  get isAway(): boolean {
    return this.#isAway;
  }

  set isAway(isAway: boolean) {
    this.#isAway = isAway;
    if (!isAway) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when it is reachable. */
  async reached(): Promise<void> {
    while (this.#isAway) await new Promise<void>(resolve => this.#waiting.push(resolve));
  }

  /** The broker of one more node. */
  abstract createBroker(): ModelBroker;
  /** The next entry gets a position that is so many higher than it had to be. */
  abstract skip(count: number): void;
  /** Everything is lost, and a new epoch begins. */
  abstract wipe(): void;
  /** The course is over. */
  abstract close(): Promise<void>;
}

/** One node's access to a {@link ModelLog}, with the faults that a course orders. */
export abstract class ModelBroker implements Broker {
  /** Deliveries are held back. */
  isBehind = false;
  /** The newest position that the sink was given. */
  told: Position = 0;
  /** The head that `start` returned. */
  startedAt: Position | undefined;
  /** The number of the epoch in which that was. */
  startedIn = 0;
  /** Called when a new epoch begins. */
  onRestart: (() => void) | undefined;
  protected sink: Sink | undefined;
  readonly #log: ModelLog;
  readonly #open = new Set<string>();
  readonly #rejects = new Map<Call, { stored: boolean }[]>();
  #inbox: Entry[] = [];
  #generation = 0;
  #isDelivering = false;

  constructor(log: ModelLog) {
    this.#log = log;
    log.nodes.push(this);
  }

  // What the store does. A store that is synchronous returns no promise: then the effect of a call is in the same tick.

  protected abstract begin(sink: Sink): LogHead | Promise<LogHead>;
  protected abstract append(drafts: readonly Draft[], deadline?: AbortSignal): Published | Promise<Published>;
  protected abstract openNow(wants: ReadonlyMap<string, Position>): Opened | Promise<Opened>;
  protected abstract readNow(channel: string, after: Position, until: Position): Page | Promise<Page>;
  protected abstract headNow(): LogHead | Promise<LogHead>;
  protected abstract stateNow(channel: string): ChannelState | Promise<ChannelState>;

  async start(sink: Sink): Promise<LogHead> {
    await this.#travel(this.#log.habits.before);
    if (this.#isRejected('start')) throw new TidingsError('broker', 'start');
    this.sink = sink;
    const beginning = this.begin(sink);
    const { epoch, head } = isPromise(beginning) ? await beginning : beginning;
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
    const appending = this.append(drafts, deadline);
    const published = isPromise(appending) ? await appending : appending;
    await this.#travel(publishAfter, deadline);
    if (rejected || (publishAfter > 0 && deadline?.aborted)) {
      throw new TidingsError('maybe-stored', 'the answer is lost');
    }
    return published;
  }

  async open(wants: ReadonlyMap<string, Position>): Promise<Opened> {
    const { before, after, rejectsOnRestart, isSilent } = this.#log.habits;
    await this.#travel(before);
    for (;;) {
      if (this.#isRejected('open')) throw new TidingsError('broker', 'open');
      let generation = this.#generation;
      if (isSilent) this.#give(this.#inbox.splice(0));
      else this.deliver();
      const opening = this.openNow(wants);
      let opened: Opened;
      if (isPromise(opening)) {
        opened = await opening;
        // What the store has given the sink before it read.
        this.deliver();
        generation = this.#generation;
      } else opened = opening;
      for (const name of wants.keys()) this.#open.add(name);
      await this.#travel(after);
      if (generation === this.#generation) return opened;
      if (rejectsOnRestart) throw new TidingsError('broker', 'another epoch');
    }
  }

  release(channels: readonly string[]): void {
    for (const name of channels) this.#open.delete(name);
  }

  async read(channel: string, after: Position, until: Position): Promise<Page> {
    return this.#ask('read', () => this.readNow(channel, after, until));
  }

  async head(): Promise<LogHead> {
    return this.#ask('head', () => this.headNow());
  }

  async state(channel: string): Promise<ChannelState> {
    return this.#ask('head', () => this.stateNow(channel));
  }

  async close(): Promise<void> {
    const { nodes } = this.#log;
    if (nodes.includes(this)) nodes.splice(nodes.indexOf(this), 1);
    this.sink = undefined;
  }

  /** The next call of a kind rejects. */
  rejectNext(call: Call, stored: boolean): void {
    this.#rejects.set(call, [...(this.#rejects.get(call) ?? []), { stored }]);
  }

  /** An entry is on its way to this node. */
  receive(entry: Entry): void {
    this.arrive(this.#open.has(entry.channel) ? [entry] : []);
  }

  /** What was held back is delivered. */
  catchUp(): void {
    this.isBehind = false;
    this.deliver();
  }

  /** Some of what was held back is delivered. */
  trickle(count: number): void {
    if (!this.isBehind) return;
    for (const entry of this.#inbox.splice(0, count)) this.#give([entry]);
  }

  /** The channels of which something would be lost. */
  whatWouldBeLost(of?: string): string[] {
    if (of === 'all') return [...this.#open];
    return of === undefined ? [...new Set(this.#inbox.map(({ channel }) => channel))] : [of];
  }

  /** What was held back is lost, of one channel, or of all. Default: of those that something was held back of. */
  lose(of?: string): void {
    const names = of === 'all' ? undefined : this.whatWouldBeLost(of);
    this.#inbox = this.#inbox.filter(({ channel }) => of !== undefined && of !== 'all' && channel !== of);
    if (names?.length === 0) return;
    const { lostFirst } = this.#log.habits;
    // With more in the inbox, not everything up to the head has been given.
    if (!lostFirst && this.#inbox.length === 0) this.#advance();
    this.sink?.lost(names);
    if (lostFirst && this.#inbox.length === 0 && !this.isBehind) this.#advance();
  }

  break(after: Position, before: Position): void {
    this.sink?.broken(after, before);
  }

  /** A new epoch has begun. */
  restart({ epoch, head }: LogHead): void {
    this.#inbox = [];
    this.#open.clear();
    this.#generation += 1;
    this.told = head;
    this.onRestart?.();
    this.sink?.restarted(epoch, head);
  }

  /** The newest position that is stored. */
  protected abstract get newest(): Position;

  /** Entries of open channels have come, or the head alone has moved. */
  protected arrive(entries: readonly Entry[]): void {
    this.#inbox.push(...entries);
    if (!this.isBehind) void this.#deliverSoon();
  }

  /** Gives the sink everything that has arrived. */
  protected deliver(): void {
    this.#give(this.#inbox.splice(0));
    this.#advance();
  }

  async #ask<T>(call: 'read' | 'head', effect: () => T | Promise<T>): Promise<T> {
    await this.#travel(this.#log.habits.before);
    if (this.#isRejected(call)) throw new TidingsError('broker', call);
    const asking = effect();
    const reply = isPromise(asking) ? await asking : asking;
    // One turn has passed already.
    await this.#travel(this.#log.habits.after - 1);
    return reply;
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

  /** Waits until the log is reachable, or the deadline has passed. */
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
    if (deliver === 0) return this.deliver();
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    for (let passed = 0; passed < deliver; passed++) await tick();
    this.#isDelivering = false;
    if (!this.isBehind) this.deliver();
  }

  #give(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    this.sink?.entries(entries);
    // Meanwhile a hub may call the application, and has not taken all of them.
    this.told = Math.max(this.told, last.position);
  }

  #advance(): void {
    this.told = Math.max(this.told, this.newest);
    this.sink?.advanced(this.newest);
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return value instanceof Promise;
}
