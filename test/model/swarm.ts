import { Chance, mix } from './chance.ts';
import {
  AGE,
  type Beginning,
  type Call,
  CHANNELS,
  type ChannelName,
  CLIENTS,
  type ClientName,
  type Course,
  HABITS,
  type Habits,
  HEARTBEAT,
  type IdChoice,
  type Move,
  PLENTY,
  type Setting,
} from './course.ts';

/** How likely each kind of move is, if a course has it at all. */
const WEIGHTS = {
  publish: 6,
  burst: 2,
  fill: 1,
  flood: 0.5,
  turn: 8,
  wait: 1,
  idle: 1,
  connect: 5,
  late: 1,
  arrive: 2,
  connectWith: 1,
  ask: 1,
  subscribe: 2.5,
  unsubscribe: 1.5,
  stall: 1.5,
  sip: 1,
  read: 1.5,
  cut: 3,
  send: 1,
  close: 1,
  brief: 1,
  disconnect: 0.7,
  fault: 0.5,
  failSnapshot: 0.4,
  end: 1,
  begin: 1,
  during: 2,
  closeHub: 0.3,
  newHub: 0.3,
};

/** Those of brokers. */
const FAULTS = {
  away: 0.7,
  back: 1.5,
  lag: 2,
  catchUp: 1,
  trickle: 1,
  lose: 1.5,
  wipe: 0.4,
  skip: 0.4,
  reject: 1,
};

type Kind = keyof typeof WEIGHTS | keyof typeof FAULTS;

/** Without these nothing happens. */
const ALWAYS: readonly Kind[] = ['publish', 'turn', 'connect', 'cut'];

const COSTLY: readonly Kind[] = ['flood', 'idle'];

/**
 * Makes the courses of a seed. Each draws which moves, settings and faults it has, and how likely each is: a fault that
 * needs many of one kind, or none of another, is found sooner than by courses that are all alike (Groce et al., "Swarm
 * Testing", 2012).
 */
export function createCourse(seed: number, index: number, nodes: number, store?: Course['store']): Course {
  const course = new Swarm(new Chance(mix(seed, index * 3 + nodes)), nodes).course();
  // Not drawn: the other courses stay what they are.
  if (index % 3 === 0) course.isCompressed = true;
  if (index % 5 === 0) addFlushIntervals(course, new Chance(mix(seed, index)));
  return store === undefined ? course : { ...course, store };
}

function addFlushIntervals({ channels = {} }: Course, chance: Chance): void {
  for (const setting of Object.values(channels)) {
    const interval = chance.of([0, 40, 40, 300]);
    if (interval > 0) setting.flushInterval = interval;
  }
}

class Swarm {
  readonly #chance: Chance;
  readonly #nodes: number;
  readonly #clients: readonly ClientName[];
  readonly #channels: readonly ChannelName[];
  readonly #kinds: [kind: Kind, upTo: number][] = [];
  readonly #beginnings: (Beginning | undefined)[];
  readonly #isPicky: number;
  readonly #except: number;
  readonly #gone: number;
  #sum = 0;

  constructor(chance: Chance, nodes: number) {
    this.#chance = chance;
    this.#nodes = nodes;
    this.#clients = CLIENTS.slice(0, chance.of([1, 1, 2, 2, 3]));
    this.#channels = CHANNELS.slice(0, chance.of([1, 1, 2, 2, 3]));
    this.#isPicky = chance.of([0, 0, 0.2, 0.6]);
    this.#except = chance.of([0, 0, 0.1, 0.4]);
    this.#gone = chance.of([0, 0.1, 0.3]);
    this.#beginnings = this.#drawBeginnings();
    const weights: Partial<Record<Kind, number>> = nodes === 0 ? WEIGHTS : { ...WEIGHTS, ...FAULTS };
    const share = chance.of([0.3, 0.5, 0.8]);
    for (const [kind, weight] of Object.entries(weights) as [Kind, number][]) {
      // Those that cost as much as a whole course are for few.
      const isDrawn = chance.is(COSTLY.includes(kind) ? share / 15 : share);
      if (!ALWAYS.includes(kind) && !isDrawn) continue;
      this.#sum += weight * 2 ** chance.between(-2, 2);
      this.#kinds.push([kind, this.#sum]);
    }
  }

  course(): Course {
    const chance = this.#chance;
    const channels: Partial<Record<ChannelName, Setting>> = {};
    for (const name of this.#channels) channels[name] = this.#setting();
    const course: Course = { nodes: this.#nodes, channels, moves: [] };
    if (chance.is(0.2)) course.slowWrites = true;
    if (chance.is(0.3)) course.socketBuffer = chance.of([100, 1_000, 70_000]);
    if (this.#clients.length > 1 && chance.is(0.15)) {
      course.oneOwner = true;
      if (chance.is(0.6)) course.perClient = 1;
    }
    if (chance.is(0.05)) course.maxAge = 3_000;
    if (this.#nodes > 0) {
      if (chance.is(0.1)) course.publishTimeout = 500;
      if (chance.is(0.6)) course.broker = this.#habits();
    }
    course.moves = this.#moves(chance.of([4, 8, 15, 25, 50]));
    if (course.oneOwner === undefined && chance.is(0.3)) course.anonymous = true;
    return course;
  }

  #drawBeginnings(): (Beginning | undefined)[] {
    const all: (Beginning | undefined)[] = ['now', 'start', { last: 0 }, { last: 2 }, { last: 5 }];
    const ids: IdChoice[] = [0, 1, 3, 8, 'foreign', 'zero', 'future'];
    for (const after of ids) all.push({ after });
    all.push('state', 'state', { since: 0 }, { since: 2 });
    const chance = this.#chance;
    const drawn = all.filter(() => chance.is(0.3));
    // Most say nothing.
    const silent = chance.of([1, 3, 10]) * Math.max(1, drawn.length);
    return [...drawn, ...Array.from({ length: silent / 2 + 1 }, () => undefined)];
  }

  #setting(): Setting {
    const chance = this.#chance;
    const history = chance.of<() => Setting['history']>([
      () => ({ events: PLENTY, bytes: 1e9 }),
      () => ({ events: PLENTY, bytes: 1e9 }),
      () => ({ events: chance.between(1, 3) }),
      () => ({ events: chance.between(4, 40) }),
      () => ({ events: PLENTY, bytes: 1e9, age: AGE }),
      () => ({ events: PLENTY, bytes: 60_000 }),
      () => false,
    ]);
    return {
      history: history(),
      compact: chance.is(0.35),
      overflow: chance.is(0.25) ? 'disconnect' : 'reset',
      snapshot: chance.is(0.25) ? chance.of([0, 1, 3, 12]) : null,
    };
  }

  #habits(): Partial<Habits> {
    const chance = this.#chance;
    const habits: Habits = {
      page: chance.of([1, 2, 3, 500]),
      before: chance.of([1, 1, 2, 4]),
      after: chance.of([1, 1, 2, 5]),
      publishAfter: chance.of([0, 0, 1, 3]),
      deliver: chance.of([0, 0, 1, 3]),
      rejectsOnRestart: chance.is(0.3),
      lostFirst: chance.is(0.5),
      isSilent: chance.is(0.3),
    };
    // A course that fails reads better without what is the default anyway.
    const differs = (name: string) => habits[name as keyof Habits] !== HABITS[name as keyof Habits];
    return Object.fromEntries(Object.entries(habits).filter(([name]) => differs(name)));
  }

  #moves(length: number): Move[] {
    const chance = this.#chance;
    const moves: Move[] = [];
    for (const client of this.#clients) {
      for (const channel of this.#channels) {
        if (chance.is(0.6)) moves.push(this.#subscribe(client, channel));
      }
      if (chance.is(0.75)) moves.push({ move: 'connect', client, ...this.#node() });
    }
    while (moves.length < length + 4) moves.push(...this.#draw());
    return moves;
  }

  #draw(): Move[] {
    const chance = this.#chance;
    const at = chance.next() * this.#sum;
    const [kind] = this.#kinds.find(([, upTo]) => at < upTo) as [Kind, number];
    const client = chance.of(this.#clients);
    const channel = chance.of(this.#channels);
    switch (kind) {
      case 'publish':
        return [this.#publish(channel)];
      case 'burst':
        return [{ ...this.#publish(channel), count: chance.between(2, chance.of([4, 12])) }];
      case 'fill':
        return [{ ...this.#publish(channel), count: chance.between(1, 6), size: chance.of([1_000, 14_000]) }];
      case 'flood':
        return [this.#flood(channel)];
      case 'turn':
        return [{ move: 'turn', turns: chance.of([1, 1, 1, 2, 2, 3, 4, 8]) }];
      case 'wait':
        return [{ move: 'wait', ms: chance.of([50, AGE, AGE + 100, 2 * HEARTBEAT]) }];
      case 'idle':
        return [{ move: 'idle', ms: chance.of([AGE + 100, 2 * HEARTBEAT]) }];
      case 'connect':
        return [{ move: 'connect', client, ...this.#node() }];
      case 'late':
        return [{ move: 'connect', client, late: true, ...this.#node() }];
      case 'connectWith':
        return [{ move: 'connectWith', client, id: this.#id(), ...this.#node() }];
      case 'ask':
        return [{ move: 'ask', client, ...this.#node() }];
      case 'subscribe':
        return [this.#subscribe(client, channel)];
      case 'unsubscribe':
        return [{ move: 'unsubscribe', client, channel }];
      case 'brief':
        return this.#brief(client);
      case 'disconnect':
        return [{ move: 'disconnect', client, ...this.#node() }];
      case 'during':
        return [
          {
            move: 'during',
            client,
            what: chance.is(0.8) ? 'write' : 'filter',
            action: this.#action(channel),
          },
        ];
      case 'closeHub':
        return [{ move: 'closeHub', within: chance.of([0, 1_000]), ...this.#node() }];
      case 'newHub':
        return [{ move: 'newHub', ...this.#node() }];
      case 'end':
      case 'begin':
        return [{ move: kind, channel, ...this.#node() }];
      case 'failSnapshot':
        return [{ move: kind, channel }];
      case 'arrive':
      case 'stall':
      case 'sip':
      case 'read':
      case 'cut':
      case 'send':
      case 'close':
      case 'fault':
        return [{ move: kind, client }];
      case 'away':
      case 'back':
      case 'wipe':
      case 'skip':
        return [{ move: kind }];
      default:
        return [this.#befall(kind)];
    }
  }

  #node(): { node?: number } {
    return this.#nodes < 2 || this.#chance.is(0.5) ? {} : { node: 1 };
  }

  #id(): IdChoice {
    const chance = this.#chance;
    return chance.is(0.75)
      ? chance.between(0, 12)
      : chance.of(['future', 'broken', 'foreign', 'malformed', 'long', 'zero'] as const);
  }

  #publish(channel: ChannelName): Extract<Move, { move: 'publish' }> {
    const chance = this.#chance;
    const move: Extract<Move, { move: 'publish' }> = { move: 'publish', channel, ...this.#node() };
    const key = chance.between(0, 3);
    if (key > 0) move.key = key;
    if (chance.is(this.#except)) move.except = chance.of(this.#clients);
    if (chance.is(this.#gone)) move.gone = true;
    return move;
  }

  /** So much in one turn that histories and writes are full. */
  #flood(channel: ChannelName): Move {
    const chance = this.#chance;
    const count = chance.of([60, 200, 400]);
    return { ...this.#publish(channel), count, ...(count === 60 && chance.is(0.5) ? { size: 14_000 } : {}) };
  }

  #subscribe(client: ClientName, channel: ChannelName): Move {
    const move: Extract<Move, { move: 'subscribe' }> = { move: 'subscribe', client, channel };
    const from = this.#chance.of(this.#beginnings);
    if (from !== undefined) move.from = from;
    if (this.#chance.is(this.#isPicky)) move.picky = true;
    return move;
  }

  /** A stream that is over when it has hardly begun, by one end or the other. */
  #brief(client: ClientName): Move[] {
    const chance = this.#chance;
    const turns = chance.between(0, 4);
    const pause: Move[] = turns === 0 ? [] : [{ move: 'turn', turns }];
    const end = chance.of(['close', 'close', 'cut', 'disconnect'] as const);
    const added = chance.is(0.3) ? [this.#subscribe(client, chance.of(this.#channels))] : [];
    return [
      { move: 'cut', client },
      { move: 'connect', client, ...this.#node() },
      ...pause,
      ...added,
      { move: end, client },
    ];
  }

  /** What may happen while the hub is at work. */
  #action(channel: ChannelName): Move {
    const chance = this.#chance;
    const client = chance.of(this.#clients);
    return chance.of<() => Move>([
      () => this.#publish(channel),
      () => this.#publish(channel),
      () => this.#publish(channel),
      () => this.#subscribe(client, channel),
      () => ({ move: 'unsubscribe', client, channel }),
      () => ({ move: chance.of(['close', 'cut', 'send', 'stall', 'disconnect'] as const), client }),
      () => ({ move: 'connect', client, ...this.#node() }),
      () => ({ move: 'end', channel }),
    ])();
  }

  #befall(kind: 'lag' | 'catchUp' | 'trickle' | 'lose' | 'reject'): Move {
    const chance = this.#chance;
    const node = chance.between(0, this.#nodes - 1);
    if (kind === 'trickle') return { move: kind, node, count: chance.between(1, 3) };
    if (kind === 'lose') {
      const of = chance.of([undefined, undefined, 'all' as const, ...this.#channels]);
      return of === undefined ? { move: kind, node } : { move: kind, node, of };
    }
    if (kind !== 'reject') return { move: kind, node };
    const call = chance.of<Call>(['start', 'publish', 'open', 'open', 'read', 'head']);
    return chance.is(0.5) ? { move: kind, node, call } : { move: kind, node, call, stored: true };
  }
}
