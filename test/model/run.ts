// Before the core, which keeps the `setImmediate` that it finds.
import './turns.ts';

import { type CloseReason, createHub, type ErrorContext, type Hub } from '@tidings/core';
import { type ClientHost, ModelClient, type Wish } from './client.ts';
import type { Clock } from './clock.ts';
import {
  CHANNELS,
  type ChannelName,
  CLIENTS,
  type Course,
  HEARTBEAT,
  type IdChoice,
  KEYS,
  type Move,
  type Publish,
  SETTING,
  type Setting,
} from './course.ts';
import type { Fault } from './judge.ts';
import type { ModelLog } from './model-broker.ts';
import { Node } from './node.ts';
import { SharedLog } from './shared-log.ts';
import { SqliteLog } from './sqlite-log.ts';
import { EPOCH, type Order, type Stored, Truth } from './truth.ts';
import { isQuiet, type Turns, tick } from './turns.ts';

/** What went wrong in a course. */
export interface Failure {
  readonly fault: Fault;
  readonly client: string;
  readonly text: string;
}

/** A line of the trace: a move, and what came of it. */
export interface Line {
  readonly move: Move | undefined;
  readonly notes: string[];
}

/** What is published, until it is stored. */
type Pending = Pick<Stored, 'n' | 'channel' | 'kind' | 'key' | 'except'> & { readonly size: number };

/** Rounds in which everything has to come to rest: clients may be ended, and come back, a few times. */
const ROUNDS = 60;
/** Turns of one round, at most. */
const TURNS = 20_000;

function createLog({ nodes, store, broker }: Course): ModelLog | undefined {
  if (nodes === 0) return undefined;
  return store === 'sqlite' ? new SqliteLog(broker) : new SharedLog(broker);
}

/** Hubs and clients, what happens to them, and whether that was right. */
export class Run implements ClientHost {
  readonly clients: ModelClient[];
  failure: Failure | undefined;
  /** Undefined: nobody wants to know. */
  readonly trace: Line[] | undefined;
  turns = 0;
  isInHub = false;
  hasFailed = false;
  patience: number;
  readonly socketBuffer: number;
  readonly #course: Course;
  readonly #clock: Clock;
  readonly #settings: ReadonlyMap<ChannelName, Setting>;
  readonly #log: ModelLog | undefined;
  readonly #nodes: Node[];
  readonly #closing: Promise<unknown>[] = [];
  #published = 0;
  #publishing = 0;
  readonly #pending = new Map<number, Pending>();
  /** Of what has been accepted, oldest first. */
  readonly #ids: string[] = [];
  readonly #failing = new Set<ChannelName>();
  readonly #snapshots: { channel: ChannelName; upTo: Order }[] = [];
  /** Calls of `disconnect` that have not been answered: their hub may wait for its broker. */
  #disconnecting = 0;
  readonly #disconnected = new Set<string>();
  /** Timers are needed for everything to come to rest. */
  #needsTime: boolean;
  /** Some events wait for a timer: that nothing has anything to do does not mean that they were given. */
  readonly #hasWindows: boolean;
  /** Errors of `onError` that are to be expected. */
  #hasFilterThrown = false;

  constructor(course: Course, clock: Clock, isTraced = false) {
    this.#course = course;
    this.#clock = clock;
    this.trace = isTraced ? [{ move: undefined, notes: [] }] : undefined;
    this.#settings = new Map(CHANNELS.map(name => [name, { ...SETTING, ...course.channels?.[name] }]));
    this.#log = createLog(course);
    this.socketBuffer = course.socketBuffer ?? 0;
    this.#hasWindows = [...this.#settings.values()].some(({ flushInterval }) => flushInterval !== undefined);
    this.#needsTime = this.#hasWindows || course.perClient !== undefined || course.maxAge !== undefined;
    // What a broker is asked for comes in pages.
    this.patience = this.#log === undefined && !course.slowWrites ? 6 : this.#patienceWithBroker();
    const truth = this.#createTruth();
    if (this.#log !== undefined) {
      this.#log.onSkip = before => truth.skip(before);
      this.#log.onAppend = ({ channel, kind, data, position }) => {
        if (kind === 'control') this.#passControl(truth, data, position);
        else this.#append(data, channel, kind, position);
      };
    }
    this.#nodes = Array.from({ length: Math.max(1, course.nodes) }, () => this.#createNode(truth));
    const ownerOf = (name: string) => (course.anonymous ? '' : course.oneOwner ? 'one' : name);
    this.clients = CLIENTS.map(name => new ModelClient(name, ownerOf(name), this));
  }

  #patienceWithBroker(): number {
    const { page = 3, before = 1, after = 1 } = this.#course.broker ?? {};
    return page >= 3 && before + after <= 2 ? 40 : Number.POSITIVE_INFINITY;
  }

  /** A control message is stored. */
  #passControl(truth: Truth, data: string, position: number): void {
    truth.pass(position);
    const { type, who } = JSON.parse(data) as { type: string; who: string };
    if (type !== 'disconnect') throw new Error(`the model does not know the message ${data}`);
    for (const { owner, judge } of this.clients) if (owner === who) judge?.disconnect(truth.head);
  }

  #createTruth(): Truth {
    const truth = new Truth(name => this.#settings.get(name) as Setting);
    if (this.#log !== undefined) truth.epochs[0] = this.#log.epoch;
    return truth;
  }

  #createNode(truth: Truth): Node {
    const { perClient, maxAge, publishTimeout, isCompressed } = this.#course;
    const broker = this.#log?.createBroker();
    const hub: Hub = createHub({
      channels: name => this.#optionsOf(name as ChannelName, truth),
      heartbeat: HEARTBEAT,
      stallTimeout: false,
      // However few streams there are.
      compression: isCompressed && { minStreams: 1 },
      maxAge: maxAge ?? false,
      publishTimeout: publishTimeout ?? Number.MAX_SAFE_INTEGER,
      limits: { perClient },
      broker,
      onError: (error, context) => this.#checkReport(error, context, node),
    });
    const node = new Node(hub, truth, broker);
    if (broker !== undefined) {
      broker.onRestart = () => {
        for (const client of this.clients) if (client.node === node) client.restart();
      };
    }
    return node;
  }

  #optionsOf(name: ChannelName, truth: Truth) {
    const { snapshot, ...rest } = this.#settings.get(name) as Setting;
    if (snapshot === null) return rest;
    return { ...rest, snapshot: () => this.#takeSnapshot(name, snapshot, truth) };
  }

  #takeSnapshot(channel: ChannelName, turns: number, truth: Truth): string | Promise<string> {
    const serial = this.#snapshots.length;
    this.#snapshots.push({ channel, upTo: truth.head });
    const take = () => {
      if (this.#failing.delete(channel)) throw new Error('a snapshot that fails');
      return String(serial);
    };
    if (turns === 0) return take();
    const wait = async () => {
      for (let passed = 0; passed < turns; passed++) await tick();
      return take();
    };
    return wait();
  }

  /** Of the log that is published to. */
  get #truth(): Truth {
    return (this.#nodes[0] as Node).truth;
  }

  get now(): number {
    return this.#clock.now;
  }

  snapshot(serial: number) {
    return this.#snapshots[serial];
  }

  fail(client: string, fault: Fault, text: string): void {
    this.note(client, `FAULT: ${fault}: ${text}`);
    this.failure ??= { client, fault, text };
  }

  note(client: string, text: string): void {
    this.trace?.at(-1)?.notes.push(`${client} ${text}`);
  }

  work(): void {
    if (this.#course.slowWrites) this.#clock.work(5);
  }

  /** Calls that need the broker may reject, and those of a hub that is closed meanwhile. */
  mayReject(node: Node): boolean {
    return node.isClosing || !node.isReliable || this.#course.publishTimeout !== undefined;
  }

  filterThrew(): void {
    this.#hasFilterThrown = true;
  }

  /** Control messages may be lost: in a new epoch, or with a channel of which the broker has lost entries. */
  #hasLostControl = false;

  mayClose(reason: CloseReason, { owner }: ModelClient): boolean {
    // Access fails closed.
    if (reason === 'closed') return owner !== '' && (this.#disconnected.has(owner) || this.#hasLostControl);
    if (reason === 'replaced') return this.#course.perClient !== undefined;
    if (reason === 'maxAge') return this.#course.maxAge !== undefined;
    if (reason === 'drained' || reason === 'refused') return this.#closing.length > 0;
    return reason === 'error' && this.hasFailed;
  }

  /** Whatever the hub reports must be something that was ordered: anything else is a fault in it. */
  #checkReport(error: unknown, { stage }: ErrorContext, node: Node): void {
    const code = (error as { code?: unknown } | null)?.code;
    const message = error instanceof Error ? error.message : String(error);
    this.note('hub', `onError ${stage}: ${code ?? message}`);
    if (message === 'a filter that fails' && this.#hasFilterThrown) return;
    if (stage === 'subscribe' && this.#settings.size > 0 && /snapshot/.test(message)) {
      this.hasFailed = true;
      return;
    }
    if (stage === 'broker' && code === 'broker' && (!node.isReliable || this.#log?.habits.rejectsOnRestart)) {
      this.#needsTime = true;
      return;
    }
    if (stage === 'publish' && ['ended', 'closed', 'not-stored', 'maybe-stored'].includes(String(code)))
      return;
    this.fail('hub', 'wrong answer', `onError ${stage}: ${error instanceof Error ? error.stack : message}`);
  }

  // What is published.

  #publish(step: Publish): void {
    const { channel, key = 0, count = 1, except, gone = false, size = 0 } = step;
    const node = this.#node(step.node);
    const owner = except && (this.#course.oneOwner ? 'one' : except);
    for (let i = 0; i < count; i++) {
      this.#published += 1;
      // A stream may have to wait until it is read, in pages.
      if (this.#log !== undefined) this.patience += 1;
      const n = this.#published;
      const kind = gone ? 'gone' : 'event';
      const data = channel + n + (size > 0 ? `:${'x'.repeat(size)}` : '');
      const name = `k${(key + i) % KEYS}`;
      this.#pending.set(n, { n, channel, kind, key: name, except: owner, size: size + 40 });
      if (!this.#mayAppend(node, channel)) return;
      if (node.isInProcess && node.truth.channel(channel).endedAt === undefined) {
        this.#append(data, channel, kind);
      }
      this.#await(node, n, node.hub.publish(channel, data, { key: name, except: owner, gone }));
    }
  }

  /** Whether it can be told what becomes of an entry: an ended channel may have been dropped, and begin again. */
  #mayAppend(node: Node, name: ChannelName): boolean {
    const channel = node.truth.channel(name);
    if (channel.endedAt === undefined) return true;
    if (!node.isInProcess) return true;
    const { last } = channel;
    return last !== undefined && !channel.mayBeGone(last, this.now);
  }

  #end({ channel, node: index }: { channel: ChannelName; node?: number }): void {
    const node = this.#node(index);
    if (!this.#mayAppend(node, channel)) return;
    if (node.isInProcess && node.truth.channel(channel).endedAt === undefined)
      this.#append('', channel, 'end');
    this.#await(node, 0, node.hub.channel(channel).end());
  }

  #begin({ channel, node: index }: { channel: ChannelName; node?: number }): void {
    const node = this.#node(index);
    const handle = node.hub.channel(channel) as { begin?: () => Promise<string> };
    if (typeof handle.begin !== 'function' || !this.#mayAppend(node, channel)) return;
    if (node.isInProcess && node.truth.channel(channel).endedAt !== undefined)
      this.#append('', channel, 'begin');
    this.#await(node, 0, handle.begin());
  }

  /** @param n 0: it is no event. */
  #await(node: Node, n: number, published: Promise<string>): void {
    const channel = this.#pending.get(n)?.channel;
    const mayEnd = channel === undefined || node.truth.channel(channel).endedAt !== undefined;
    const isStored = this.#truth.find(n) !== undefined;
    this.#publishing += 1;
    published.then(
      id => {
        this.#publishing -= 1;
        const order = node.orderOf(id);
        const stored = node.truth.find(n);
        if (n > 0 && (stored === undefined || stored.order !== order)) {
          this.fail(
            'hub',
            'wrong answer',
            `publish of ${n}: ${id}, and it is ${node.truth.show(stored?.order ?? -1)}`,
          );
        }
        if (n > 0) this.#ids.push(id);
        if (order !== undefined) node.acknowledge(order);
      },
      error => {
        this.#publishing -= 1;
        const { code } = error as { code?: string };
        const isOfBroker = code === 'not-stored' || code === 'maybe-stored';
        const isRight =
          (code === 'ended' && !(n > 0 && isStored) && (mayEnd || !node.isInProcess)) ||
          (code === 'closed' && node.isClosing) ||
          (isOfBroker && this.mayReject(node));
        if (!isRight) this.fail('hub', 'wrong answer', `publish of ${n} rejects: ${error}`);
        if (code === 'not-stored' && this.#truth.find(n)) this.fail('hub', 'wrong answer', `${n} is stored`);
        if (code !== 'maybe-stored') this.#pending.delete(n);
      },
    );
  }

  /** An entry is stored. Default of the position: the next. */
  #append(data: string, name: string, kind: string, position?: number): void {
    const n = kind === 'event' || kind === 'gone' ? Number.parseInt(data.slice(1), 10) : 0;
    const channel = name as ChannelName;
    const pending = this.#pending.get(n);
    if (n > 0 && pending === undefined) {
      this.fail('hub', 'wrong answer', `${n} is stored twice, or was said not to be`);
      return;
    }
    this.#pending.delete(n);
    const entry = pending ?? { n: 0, channel, kind: kind as Stored['kind'], key: '', except: undefined };
    const stored = this.#truth.append(entry, this.now, pending?.size ?? 0, position);
    for (const { judge } of this.clients) judge?.stored(stored);
  }

  // The moves.

  #node(index = 0): Node {
    return this.#nodes[index % this.#nodes.length] as Node;
  }

  #client(name: string): ModelClient {
    return this.clients.find(each => each.name === name) as ModelClient;
  }

  #idOf(choice: IdChoice): string {
    if (typeof choice === 'number') return this.#ids.at(-1 - choice) ?? 'early';
    const [epoch, position] = (this.#ids.at(-1) ?? 'abc-0').split('-') as [string, string];
    const { broken } = this.#truth;
    const ids = {
      future: `${epoch}-${Number(position) + 1_000_000}`,
      broken: broken === undefined ? 'early' : `${this.#truth.epochs.at(-1)}-${broken % EPOCH}`,
      foreign: 'abc-5',
      malformed: 'x',
      long: 'x'.repeat(4096),
      zero: '0-0',
    };
    return ids[choice];
  }

  #wishOf({ channel, from, picky = false }: Extract<Move, { move: 'subscribe' }>): Wish {
    if (typeof from === 'object' && 'after' in from) {
      return { channel, from: { after: this.#idOf(from.after) }, isPicky: picky };
    }
    const { compact, snapshot } = this.#settings.get(channel) as Setting;
    const hasState = compact || snapshot !== null;
    if (from === 'state') return { channel, from: hasState ? from : undefined, isPicky: picky };
    if (typeof from !== 'object' || !('since' in from)) return { channel, from, isPicky: picky };
    return { channel, from: { since: this.#idOf(from.since) }, isPicky: picky };
  }

  *play(): Turns {
    for (const move of this.#course.moves) {
      if (this.failure !== undefined) return;
      this.trace?.push({ move, notes: [] });
      if (move.move === 'turn') yield* this.#pass(move.turns);
      else if (move.move === 'wait' || move.move === 'idle') yield* this.#wait(move);
      else this.#do(move);
    }
    this.trace?.push({ move: undefined, notes: [] });
    if (this.failure === undefined) yield* this.#settle();
  }

  *#wait({ move, ms }: { move: 'wait' | 'idle'; ms: number }): Turns {
    // A hub starts its clock in a microtask.
    yield 'microtasks';
    // For the hub, what comes after its timers may be in the same turn, or not.
    this.turns += 0.01;
    if (move === 'wait') this.#clock.pass(ms);
    else yield* this.#clock.idle(ms, () => this.#passIfDue());
  }

  #do(move: Move): void {
    if ('client' in move) this.#doTo(this.#client(move.client), move);
    else if (move.move === 'publish') this.#publish(move);
    else if (move.move === 'end') this.#end(move);
    else if (move.move === 'begin') this.#begin(move);
    else if (move.move === 'failSnapshot') this.#failing.add(move.channel);
    else if (move.move === 'closeHub') this.#closeHub(move);
    else if (move.move === 'newHub') this.#replaceHub(move.node);
    else if (this.#log !== undefined) this.#befall(this.#log, move);
  }

  #doTo(client: ModelClient, move: Extract<Move, { client: string }>): void {
    if (move.move === 'connect') client.connect(this.#node(move.node), move.late);
    else if (move.move === 'connectWith') client.connectWith(this.#node(move.node), this.#idOf(move.id));
    else if (move.move === 'ask')
      client.ask(this.#node(move.node)).catch(error => this.fail('hub', 'wrong answer', String(error)));
    else if (move.move === 'subscribe') client.subscribe(this.#wishOf(move));
    else if (move.move === 'unsubscribe') client.unsubscribe(move.channel);
    else if (move.move === 'disconnect') this.#disconnect(client, this.#node(move.node));
    else if (move.move === 'during') {
      const action = () => {
        const other = 'client' in move.action ? this.#client(move.action.client).node : undefined;
        // Another process does nothing in the middle of what this one does.
        if (other !== undefined && other !== client.node) return;
        this.note(client.name, `during a ${move.what}: ${JSON.stringify(move.action)}`);
        this.isInHub = true;
        this.#do(move.action);
        this.isInHub = false;
      };
      if (move.what === 'write') client.onNextWrite(action);
      else client.onNextFilter(action);
    } else client[move.move]();
  }

  #disconnect({ owner }: ModelClient, node: Node): void {
    if (owner === '') return;
    this.#disconnected.add(owner);
    const open = this.clients.filter(each => each.owner === owner && each.node === node && each.isOpen);
    for (const each of open) each.judge?.close();
    for (const each of this.clients) {
      const isOnAnother = each.node !== undefined && each.node !== node && this.#nodes.includes(each.node);
      if (each.owner === owner && isOnAnother) each.endsFromAfar();
    }
    this.#disconnecting += 1;
    const disconnecting = node.hub.clients.disconnect(owner).catch(error => {
      for (const each of this.clients) if (each.owner === owner) each.needNotEnd();
      if (!this.mayReject(node)) this.fail('hub', 'wrong answer', `disconnect() rejects: ${error}`);
    });
    disconnecting.finally(() => {
      this.#disconnecting -= 1;
    });
  }

  /** A process closes its hub, and another takes its place at once. */
  #closeHub({ node: index, within }: Extract<Move, { move: 'closeHub' }>): void {
    const node = this.#node(index);
    for (const client of this.clients) if (client.node === node && client.isOpen) client.judge?.close();
    node.isClosing = true;
    this.#needsTime = true;
    this.#closing.push(node.hub.close({ within }));
    this.#put(index, node);
  }

  /** A process dies, and another takes its place. */
  #replaceHub(index: number | undefined): void {
    const node = this.#node(index);
    for (const client of this.clients) if (client.node === node) client.cut();
    node.isClosing = true;
    node.isReliable = false;
    void node.broker?.close();
    this.#closing.push(node.hub.close({ within: 0 }));
    this.#put(index, node);
  }

  #put(index: number | undefined, node: Node): void {
    this.#nodes[this.#nodes.indexOf(node)] = this.#createNode(
      this.#log === undefined ? this.#createTruth() : node.truth,
    );
    void index;
  }

  #befall(log: ModelLog, move: Move): void {
    if (move.move === 'away') {
      log.isAway = true;
      this.patience = Number.POSITIVE_INFINITY;
    } else if (move.move === 'back') log.isAway = false;
    else if (move.move === 'skip') log.skip(1_000);
    else if (move.move === 'wipe') {
      this.#truth.startOver(`life${Number(log.epoch.slice(4)) + 1}`);
      this.#hasLostControl = true;
      // The hub calls again a second later.
      if (log.habits.rejectsOnRestart) this.patience = Number.POSITIVE_INFINITY;
      // A hub that has yet to ask where the log is cannot know of messages that are lost.
      for (const { judge } of this.clients)
        if (judge?.node.startedAt === undefined) judge?.forgetDisconnect();
      // Access fails closed.
      for (const client of this.clients) if (client.owner !== '') client.endsFromAfar();
      log.wipe();
    } else if ('node' in move) this.#befallNode(this.#node(move.node), move);
  }

  #befallNode(node: Node, move: Move): void {
    const { broker } = node;
    if (broker === undefined) return;
    if (move.move === 'lag') broker.isBehind = true;
    else if (move.move === 'catchUp') broker.catchUp();
    else if (move.move === 'trickle') broker.trickle(move.count);
    else if (move.move === 'reject') {
      node.isReliable = false;
      this.#needsTime = true;
      this.patience = Number.POSITIVE_INFINITY;
      broker.rejectNext(move.call, move.stored === true);
    } else if (move.move === 'lose') {
      node.hasLost = true;
      const names = broker.whatWouldBeLost(move.of);
      const lost = names as ChannelName[];
      for (const { judge } of this.clients) {
        // A hub that is told of all takes that for all that it is about to open, too.
        if (judge?.node === node) judge.disturb(move.of === 'all' ? judge.interests.keys() : lost);
      }
      this.#hasLostControl ||= move.of === 'all' || names.some(name => name.startsWith('\0'));
      broker.lose(move.of);
    }
  }

  *#passIfDue(): Turns {
    yield 'microtasks';
    if (!isQuiet()) yield* this.#pass(1);
  }

  *#pass(turns: number): Turns {
    for (let passed = 0; passed < turns; passed++) {
      this.turns += 0.5;
      yield 'turn';
      this.turns += 0.5;
      if (!isQuiet()) continue;
      this.turns += turns - passed - 1;
      if (this.#hasWindows) return;
      for (const node of this.#nodes) node.restedAt = node.head;
      for (const client of this.clients) client.rest();
      return;
    }
  }

  // The end.

  /** In the end everybody reads, and comes back as often as it is told to. */
  *#settle(): Turns {
    if (this.#log !== undefined) {
      if (this.#log.isAway) this.#needsTime = true;
      this.#log.isAway = false;
      for (const { broker } of this.#nodes) broker?.catchUp();
    }
    yield* this.#comeToRest();
    if (this.failure !== undefined) return;
    // Whoever comes back now has missed nothing.
    this.trace?.push({ move: undefined, notes: ['all: cut, and connect again'] });
    for (const client of this.clients) client.cut();
    yield* this.#comeToRest();
    if (this.failure !== undefined) return;
    yield* this.#leave();
  }

  /** Frees what the course has used. */
  async close(): Promise<void> {
    await this.#log?.close();
  }

  *#comeToRest(): Turns {
    // With a limit for each client, whoever connects takes the place of another: one comes after the other.
    const groups =
      this.#course.perClient === undefined ? [this.clients] : this.clients.map(client => [client]);
    for (const group of groups) yield* this.#comeToRestTogether(group);
  }

  *#comeToRestTogether(clients: readonly ModelClient[]): Turns {
    let lacks = '';
    for (let round = 0; round < ROUNDS && this.failure === undefined; round++) {
      for (const client of this.clients) client.read();
      for (const client of clients) {
        if (client.wishes.size > 0) client.connect(this.#node());
        client.arrive();
      }
      yield* this.#pass(TURNS);
      if (!isQuiet()) {
        this.fail('hub', 'stuck', `it has something to do in each of ${TURNS} turns`);
        return;
      }
      this.#checkRegistry();
      const isReliable = this.#disconnecting === 0 && !this.#nodes.some(node => this.mayReject(node));
      const disconnected = clients.find(({ isToEnd, node }) => isToEnd && node && this.#nodes.includes(node));
      if (isReliable && disconnected !== undefined) {
        this.fail(disconnected.name, 'wrong end', 'it was to be closed from afar, and goes on');
      }
      const behind = clients.find(client => client.lacks !== '' || client.isAsking);
      lacks = behind === undefined ? '' : `${behind.name}: ${behind.lacks}`;
      if (behind === undefined && this.#publishing === 0) return;
      if (round > 6 && !this.#needsTime) break;
      if (this.#needsTime) this.#clock.pass(1_600);
    }
    const [name = 'hub', ...rest] = lacks.split(': ');
    this.fail(
      name,
      'stuck',
      `it lacks ${rest.join(': ')}${this.#publishing > 0 ? ' (and publishes wait)' : ''}`,
    );
  }

  /** The hubs know all responses that are under way, and no others. */
  #checkRegistry(): void {
    for (const node of this.#nodes) {
      const here = this.clients.filter(client => client.node === node);
      if (node.hub.streams.size !== here.length) {
        this.fail('hub', 'leak', `${node.hub.streams.size} streams, and there are ${here.length}`);
      }
      for (const { owner, name } of here) {
        const count = owner === '' ? 0 : here.filter(client => client.owner === owner).length;
        if (node.hub.clients.get(owner).size !== count)
          this.fail(name, 'leak', `not all streams of ${owner}`);
      }
    }
  }

  /** Nothing must be left of streams that are over. */
  *#leave(): Turns {
    for (const client of this.clients) client.cut();
    yield* this.#pass(TURNS);
    if (this.#closing.length > 0) {
      for (let i = 0; i < 8; i++) {
        this.#clock.pass(1_600);
        yield* this.#pass(TURNS);
      }
      let isClosed = false;
      void Promise.all(this.#closing).then(() => {
        isClosed = true;
      });
      yield* this.#pass(TURNS);
      if (!isClosed) this.fail('hub', 'leak', 'close() has not resolved');
    }
    for (const { hub } of this.#nodes) {
      const count = CHANNELS.reduce((sum, name) => sum + hub.channel(name).subscriberCount, 0);
      if (hub.streams.size + hub.clients.size + count > 0) {
        this.fail('hub', 'leak', `${hub.streams.size} streams, ${count} subscribers`);
      }
    }
  }
}
