import { setImmediate as turn } from 'node:timers/promises';
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

interface Kept {
  entries: Entry[];
  keep: Readonly<Keep>;
  trimmedUpTo: Position;
  last: Position;
  ended: Position | undefined;
}

const isMark = ({ kind }: Entry) => kind === 'end' || kind === 'begin';

/** So small that reading on is the rule. */
const PAGE = 3;

/** The log that the nodes of a test share: what a broker's server would be, with faults to order. */
export class SharedLog {
  epoch = 'life1';
  head: Position = 0;
  /** Calls are answered only while it is there. */
  isAway = false;
  readonly channels = new Map<string, Kept>();
  readonly nodes: VirtualBroker[] = [];

  append({ keep, ...draft }: Draft): Position | TidingsError {
    const kept = this.channels.get(draft.channel) ?? {
      entries: [],
      keep,
      trimmedUpTo: 0,
      last: 0,
      ended: undefined,
    };
    const isBegin = draft.kind === 'begin';
    if (isBegin && kept.ended === undefined) return kept.last || this.head;
    if (!isBegin && kept.ended !== undefined) return new TidingsError('ended', 'ended');
    this.channels.set(draft.channel, kept);
    this.head += 1;
    const entry: Entry = { ...draft, position: this.head };
    kept.last = this.head;
    if (isBegin) Object.assign(kept, { entries: [], trimmedUpTo: kept.ended, ended: undefined });
    if (entry.kind === 'end') kept.ended = entry.position;
    if (keep.compact && !isMark(entry)) {
      kept.entries = kept.entries.filter(older => isMark(older) || older.key !== entry.key);
    }
    kept.entries.push(entry);
    while (kept.entries.filter(entry => !isMark(entry)).length > keep.events) {
      kept.trimmedUpTo = kept.entries.shift()?.position ?? 0;
    }
    for (const node of this.nodes) node.receive(entry);
    return this.head;
  }

  read(name: string, after: Position, until: Position): Page {
    const kept = this.channels.get(name);
    const due = kept?.entries.filter(({ position }) => position > after && position <= until) ?? [];
    return {
      entries: due.slice(0, PAGE),
      trimmedUpTo: kept?.trimmedUpTo ?? 0,
      more: due.length > PAGE,
      last: kept?.last,
      endedAt: kept?.ended,
    };
  }

  /** All is forgotten, and begins anew. */
  wipe(): void {
    this.epoch = `life${Number(this.epoch.slice(4)) + 1}`;
    this.head = 0;
    this.channels.clear();
    for (const node of this.nodes) node.startOver();
  }
}

/** One node's access to a {@link SharedLog}. */
export class VirtualBroker implements Broker {
  /** What comes is kept back. */
  isBehind = false;
  readonly #log: SharedLog;
  readonly #open = new Set<string>();
  #sink: Sink | undefined;
  #inbox: Entry[] = [];
  #life = 0;

  constructor(log: SharedLog) {
    this.#log = log;
    log.nodes.push(this);
  }

  async start(sink: Sink): Promise<LogHead> {
    await this.#reach();
    this.#sink = sink;
    return { epoch: this.#log.epoch, head: this.#log.head };
  }

  async publish(drafts: readonly Draft[]): Promise<Published> {
    await this.#reach();
    return { epoch: this.#log.epoch, results: drafts.map(draft => this.#log.append(draft)) };
  }

  async open(wants: ReadonlyMap<string, Position>): Promise<Opened> {
    await this.#reach();
    for (;;) {
      const life = this.#life;
      this.#deliver();
      const { head } = this.#log;
      const pages = new Map([...wants].map(([name, after]) => [name, this.#log.read(name, after, head)]));
      for (const name of wants.keys()) this.#open.add(name);
      await turn();
      if (life === this.#life) return { head, pages };
    }
  }

  release(channels: readonly string[]): void {
    for (const name of channels) this.#open.delete(name);
  }

  async read(channel: string, after: Position, until: Position): Promise<Page> {
    await this.#reach();
    return this.#log.read(channel, after, until);
  }

  async head(): Promise<LogHead> {
    await this.#reach();
    return { epoch: this.#log.epoch, head: this.#log.head };
  }

  async state(channel: string): Promise<ChannelState> {
    await this.#reach();
    const kept = this.#log.channels.get(channel);
    if (kept === undefined) return { state: 'unknown', last: 0 };
    return { state: kept.ended === undefined ? 'open' : 'ended', last: kept.last };
  }

  async close(): Promise<void> {}

  receive(entry: Entry): void {
    if (this.#open.has(entry.channel)) this.#inbox.push(entry);
    if (!this.isBehind) this.#deliver();
  }

  /** What was kept back comes. */
  catchUp(): void {
    this.isBehind = false;
    this.#deliver();
  }

  /** What was kept back is gone. */
  lose(): void {
    const lost = [...new Set(this.#inbox.map(({ channel }) => channel))];
    this.#inbox = [];
    if (lost.length === 0) return;
    this.#sink?.advanced(this.#log.head);
    this.#sink?.lost(lost);
  }

  startOver(): void {
    this.#inbox = [];
    this.#open.clear();
    this.#life += 1;
    this.#sink?.restarted(this.#log.epoch, this.#log.head);
  }

  async #reach(): Promise<void> {
    do await turn();
    while (this.#log.isAway);
  }

  #deliver(): void {
    const due = this.#inbox.splice(0);
    if (due.length > 0) this.#sink?.entries(due);
    this.#sink?.advanced(this.#log.head);
  }
}
