import { setImmediate as turn } from 'node:timers/promises';
import { createHub, type Hub } from '@tidings/core';
import { type Beginning, type Model, ModelClient, type Published } from './client.ts';
import type { Clock } from './clock.ts';
import {
  CHANNELS,
  CLIENTS,
  type Event,
  type Fault,
  HEARTBEAT,
  type Id,
  KEYS,
  type Move,
  PLENTY,
  type Setting,
  type Wanted,
  type Wanting,
} from './moves.ts';
import { SharedLog, VirtualBroker } from './shared-log.ts';
import { LARGEST_EVENT } from './transport.ts';

/** Hubs, clients, and what befalls them. */
export class Run implements Model {
  readonly clients: ModelClient[];
  readonly hubs: readonly Hub[];
  readonly isInProcess: boolean;
  readonly #clock: Clock;
  readonly #settings: ReadonlyMap<string, Setting>;
  /** Each write takes more than a turn is to take. */
  readonly #isSlow: boolean;
  readonly #log = new SharedLog();
  readonly #brokers: readonly VirtualBroker[];
  #published = 0;
  #publishing = 0;
  readonly #all = new Map(CHANNELS.map(name => [name, [] as Published[]]));
  readonly #newest = new Map(CHANNELS.map(name => [name, new Map<string, Published>()]));
  /** Of what has been accepted. */
  readonly #ids: { id: string; n: number }[] = [];
  readonly #ended = new Set<string>();
  readonly #failing = new Set<string>();

  constructor(nodes: number, settings: readonly Setting[], isSlow: boolean, clock: Clock) {
    this.#clock = clock;
    this.#isSlow = isSlow;
    this.#settings = new Map(settings.map((setting, i) => [CHANNELS[i] as string, setting]));
    this.isInProcess = nodes === 0;
    this.#brokers = Array.from({ length: nodes }, () => new VirtualBroker(this.#log));
    const options = {
      channels: (name: string) => this.#optionsOf(name),
      heartbeat: HEARTBEAT,
      stallTimeout: false,
      publishTimeout: Number.MAX_SAFE_INTEGER,
      onError: () => {},
    } as const;
    this.hubs = this.isInProcess
      ? [createHub(options)]
      : this.#brokers.map(broker => createHub({ ...options, broker }));
    this.clients = CLIENTS.map(name => new ModelClient(name, this));
    // A channel is read in small pages.
    if (!this.isInProcess || isSlow) for (const each of this.clients) each.patience = 40;
  }

  #optionsOf(name: string) {
    const { snapshot, ...rest } = this.#of(name);
    if (snapshot === null) return rest;
    return { ...rest, snapshot: () => this.#snapshot(name, snapshot) };
  }

  async #snapshot(channel: string, turns: number) {
    const state = { channel, n: this.#published };
    for (let i = 0; i < turns; i++) await turn();
    if (this.#failing.delete(channel)) throw new Error('a snapshot that fails');
    return state;
  }

  #of(channel: string): Setting {
    return this.#settings.get(channel) as Setting;
  }

  published(): number {
    return this.#published;
  }

  isPublishing(): boolean {
    return this.#publishing > 0;
  }

  log(channel: string): readonly Published[] {
    return this.#all.get(channel) ?? [];
  }

  isCompacted(channel: string): boolean {
    return this.#of(channel).compact;
  }

  current(channel: string): ReadonlyMap<string, Published> {
    const { history } = this.#of(channel);
    // Keys have no age.
    const isKept = history !== false && history.events >= KEYS && !this.hasSnapshots(channel);
    return (isKept ? this.#newest.get(channel) : undefined) ?? new Map();
  }

  keeps(channel: string): number {
    const { history } = this.#of(channel);
    return history === false || 'age' in history ? 0 : history.events;
  }

  reportsLoss(channel: string): boolean {
    const { history } = this.#of(channel);
    return this.hasSnapshots(channel) || (history !== false && this.#keepsAny(history));
  }

  #keepsAny(history: Exclude<Setting['history'], false>): boolean {
    return history.events > 0;
  }

  overflow(channel: string): 'reset' | 'disconnect' {
    return this.#of(channel).overflow;
  }

  hasSnapshots(channel: string): boolean {
    return this.#of(channel).snapshot !== null;
  }

  losesNothing(): boolean {
    return CHANNELS.every(name => this.keeps(name) === PLENTY);
  }

  work(): void {
    if (this.#isSlow) this.#clock.work(5);
  }

  #publish({ channel, key, except, gone }: Event, filling?: string): void {
    if (this.#ended.has(channel)) return;
    this.#published += 1;
    const published: Published = {
      n: this.#published,
      channel,
      key: `k${key % KEYS}`,
      except: except === null ? undefined : CLIENTS[except],
      filling,
    };
    this.#all.get(channel)?.push(published);
    if (gone) this.#newest.get(channel)?.delete(`k${key % KEYS}`);
    else this.#newest.get(channel)?.set(`k${key % KEYS}`, published);
    for (const each of this.clients) each.owe(published);
    this.#publishing += 1;
    const { n } = published;
    this.hubs[0]
      ?.publish(channel, published, { key: published.key, except: published.except, gone })
      .then(id => this.#ids.push({ id, n }))
      .finally(() => {
        this.#publishing -= 1;
      });
  }

  #idOf(id: Id): { id: string; n: number } {
    const newest = this.#ids.at(-1);
    if (typeof id === 'number') return this.#ids.at(-1 - id) ?? { id: 'early', n: Number.POSITIVE_INFINITY };
    const future = newest?.id.replace(/-.*/, '-1000000');
    return { id: id === 'future' ? (future ?? id) : id, n: Number.POSITIVE_INFINITY };
  }

  #beginning(from: Wanted): Beginning | undefined {
    if (typeof from !== 'object' || !('after' in from)) return from;
    const { id, n } = this.#idOf(from.after);
    return { after: id, n };
  }

  subscribe({ client, channel, from, isPicky }: Wanting): void {
    this.clients[client]?.subscribe({ channel, from: this.#beginning(from), isPicky });
  }

  async do(step: Move | Fault): Promise<void> {
    if (step.move === 'turn') for (let i = 0; i < step.turns; i++) await this.pass();
    else if (step.move === 'wait') this.#clock.pass(step.ms);
    else if (step.move === 'publish' || step.move === 'fill') {
      const filling = step.move === 'fill' ? 'x'.repeat(LARGEST_EVENT - 1024) : undefined;
      for (let i = 0; i < step.count; i++) this.#publish({ ...step, key: step.key + i }, filling);
    } else if (step.move === 'end') {
      this.#ended.add(step.channel);
      this.hubs[0]?.channel(step.channel).end();
    } else if (step.move === 'failSnapshot') {
      this.#failing.add(step.channel);
      for (const each of this.clients) each.excuse();
    } else if (step.move === 'subscribe') this.subscribe(step);
    else if ('client' in step) this.#doTo(this.clients[step.client] as ModelClient, step);
    else if ('node' in step) this.#befall(step);
  }

  #doTo(client: ModelClient, step: Extract<Move, { client: number }>): void {
    if (step.move === 'connect') client.connect(step.node);
    else if (step.move === 'connectWith') this.#connectWith(client, step.id);
    else if (step.move === 'ask') client.ask(step.node);
    else if (step.move === 'unsubscribe') client.unsubscribe(step.channel);
    else if (step.move === 'interject') client.meanwhile(() => this.#publish(step));
    else if (step.move !== 'subscribe') client[step.move]();
  }

  #connectWith(client: ModelClient, wanted: Id): void {
    const { id, n } = this.#idOf(wanted);
    client.connectWith(id, n);
  }

  #befall({ move, node }: Fault): void {
    const broker = this.#brokers[node % this.#brokers.length];
    if (move === 'away') {
      this.#log.isAway = true;
      for (const each of this.clients) each.patience = Number.POSITIVE_INFINITY;
    } else if (move === 'back') this.#log.isAway = false;
    else if (move === 'catchUp') broker?.catchUp();
    else if (move === 'lag') {
      if (broker) broker.isBehind = true;
    } else {
      for (const each of this.clients) each.disturb();
      if (move === 'lose') broker?.lose();
      else {
        for (const each of this.clients) each.bereave();
        for (const keys of this.#newest.values()) keys.clear();
        this.#log.wipe();
      }
    }
  }

  async pass(): Promise<void> {
    await turn();
    for (const each of this.clients) each.turn();
  }

  /** In the end everybody reads, and comes back as often as it is told to. */
  async settle(): Promise<void> {
    this.#log.isAway = false;
    for (const broker of this.#brokers) broker.catchUp();
    // What a broker was asked for while it was away is asked for again, and a stream may be ended and come back.
    const isSettled = () =>
      this.clients.every(({ isOpen, isPlaced, lacks }) => isOpen && isPlaced && lacks === '');
    for (let i = 0; i < 12 || (i < 100 && !isSettled()); i++) {
      for (const each of this.clients) {
        each.read();
        each.connect();
      }
      for (let j = 0; j < 6; j++) await this.pass();
    }
  }
}
