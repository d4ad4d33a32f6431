// Before the core, which keeps the `setImmediate` that it finds.
import './turns.ts';

import { createHub, type Frame, type Hub, type Transport, type TransportListener } from '@tidings/core';
import { Chance, mix } from './chance.ts';
import { Clock } from './clock.ts';
import type { Habits } from './course.ts';
import { SharedLog, type VirtualBroker } from './shared-log.ts';
import { makeTurns, type Turns, tick } from './turns.ts';

/** Rooms that are changed by control messages, and rooms that `authorize` withdraws. */
const OPEN_ROOMS = ['m1', 'm2', 'm3'];
const GUARDED_ROOMS = ['r1', 'r2'];
const ROOMS = [...OPEN_ROOMS, ...GUARDED_ROOMS];
const MEMBERS = ['ann', 'bob', 'cyd'];

/** Positions of the log: what is stored after `after`, up to `upTo`. */
interface Range {
  after: number;
  upTo: number;
}

/** When a member is in a room, or out of it, beyond doubt. */
interface Stay extends Range {
  readonly isIn: boolean;
  /** The connection when it left. One that broke before nobody can send the rest. */
  connection?: Connection | undefined;
  /** The connections that the guard has refused meanwhile, and not allowed since. It answers by what holds then. */
  readonly refused: Set<Connection>;
}

const clock = new Clock();

class Connection implements Transport {
  listener: TransportListener | undefined;
  readonly bufferedBytes = 0;
  isOver = false;
  /** The newest position that its client was told. */
  reached = -1;
  readonly received = new Set<number>();
  readonly #member: Member;

  constructor(member: Member) {
    this.#member = member;
  }

  open(): void {}

  write(frame: Frame): boolean {
    this.#member.read(Buffer.from(frame.bytes).toString(), this);
    this.#member.work();
    return true;
  }

  end(): void {
    this.cut();
  }

  destroy(): void {
    this.cut();
  }

  cut(): void {
    this.isOver = true;
    this.listener?.closed();
  }
}

/** A user with one stream, who reconnects to any hub when it ends. */
class Member {
  readonly name: string;
  lastEventId: string | undefined;
  readonly received: number[] = [];
  readonly resets: string[] = [];
  connection: Connection | undefined;
  readonly #course: MembershipCourse;

  constructor(name: string, course: MembershipCourse) {
    this.name = name;
    this.#course = course;
  }

  connect(hub: Hub): void {
    this.connection = new Connection(this);
    const { lastEventId } = this;
    this.#course.note(`${this.name} connects from ${lastEventId}`);
    const stream = hub.open(this.connection, { method: 'GET', url: '/', lastEventId }, { client: this.name });
    stream.subscribe('all');
    for (const [room, since] of this.#course.roomsOf(this.name)) stream.subscribe(room, { from: { since } });
  }

  /** A write takes longer than a stream may hold the event loop. */
  work(): void {
    if (this.#course.hasSlowWrites) clock.work(5);
  }

  read(text: string, connection: Connection): void {
    for (const block of text.split('\n\n')) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const [event, data, id] = [field('event'), field('data'), field('id')];
      if (event === 'reset') this.resets.push(...(JSON.parse(data as string).channels as string[]));
      else if (event === undefined && data !== undefined) {
        this.received.push(Number(data));
        connection.received.add(Number(data));
      }
      if (id !== undefined) {
        this.lastEventId = id;
        connection.reached = positionOf(id);
      }
      if (block !== '') this.#course.note(`  ${this.name}: ${event ?? ''} ${data ?? ''} ${id ?? ''}`);
    }
  }
}

/** Members of rooms on two hubs come, go, and are moved, while events are published and the hubs lose their broker. */
class MembershipCourse {
  readonly faults: string[] = [];
  readonly trace: string[] = [];
  readonly hasSlowWrites: boolean;
  readonly #chance: Chance;
  readonly #log: SharedLog;
  readonly #brokers: VirtualBroker[];
  readonly #hubs: Hub[];
  readonly #members: Member[];
  /** The application's own list: per room, its members and the id at which each was added. */
  readonly #database = new Map<string, Map<string, string>>(MEMBERS.map(name => [name, new Map()]));
  /** By number, the room and the position of an event. */
  readonly #events: { room: string; position: number }[] = [];
  readonly #stays = new Map<string, Stay[]>();
  readonly #calls: Promise<unknown>[] = [];
  #newest = '';

  constructor(seed: number) {
    const chance = new Chance(mix(seed, 0));
    this.#chance = chance;
    const habits: Partial<Habits> = {
      before: chance.between(0, 2),
      after: chance.between(1, 3),
      publishAfter: chance.between(0, 2),
      deliver: chance.between(0, 3),
      page: chance.between(2, 22),
      lostFirst: chance.is(0.3),
    };
    this.hasSlowWrites = chance.is(0.4);
    this.#log = new SharedLog(habits);
    this.#brokers = [this.#log.createBroker(), this.#log.createBroker()];
    this.#hubs = this.#brokers.map(broker => this.#createHub(broker));
    this.#members = MEMBERS.map(name => new Member(name, this));
    this.#log.onAppend = entry => {
      this.note(`@${entry.position} ${entry.channel.replace('\0', '')} ${entry.data}`);
      if (entry.kind === 'event')
        this.#events[Number(entry.data)] = { room: entry.channel, position: entry.position };
    };
  }

  note(text: string): void {
    this.trace.push(text);
  }

  roomsOf(member: string): Iterable<[room: string, since: string]> {
    return this.#database.get(member) ?? [];
  }

  *play(steps: number): Turns {
    const [hub] = this.#hubs as [Hub, Hub];
    yield* this.#await(...this.#hubs.map(each => each.ready()));
    yield* this.#await(
      hub.position().then(id => {
        this.#newest = id;
      }),
    );
    for (const member of this.#members) {
      member.lastEventId = this.#newest;
      member.connect(this.#chance.of(this.#hubs));
    }
    for (let step = 0; step < steps; step++) {
      yield* this.#step();
      this.#reconnect();
      for (let turns = this.#chance.between(0, 3); turns > 0; turns--) yield 'turn';
    }
    yield* this.#settle();
    this.#judge();
  }

  async close(): Promise<void> {
    await Promise.all(this.#hubs.map(each => each.close({ within: 0 })));
  }

  *#await(...calls: Promise<unknown>[]): Turns {
    let isDone = false;
    Promise.allSettled(calls).then(() => {
      isDone = true;
    });
    for (let turns = 0; !isDone && turns < 1_000; turns++) yield 'turn';
    if (!isDone) this.faults.push('a call is not answered');
  }

  #createHub(broker: VirtualBroker): Hub {
    return createHub({
      broker,
      onError: error => this.note(`onError ${error}`),
      heartbeat: false,
      stallTimeout: false,
      recheck: false,
      history: { events: 10_000 },
      authorize: (channel, { client }) => {
        if (!GUARDED_ROOMS.includes(channel)) return true;
        const answer = () => this.#isAllowed(String(client), channel);
        return this.#chance.is(0.5) ? answer() : tick().then(answer);
      },
    });
  }

  #isAllowed(member: string, room: string): boolean {
    const isAllowed = this.#database.get(member)?.has(room) === true;
    const { connection } = this.#members.find(({ name }) => name === member) as Member;
    const stays = this.#staysOf(member, room);
    if (connection === undefined) return isAllowed;
    if (!isAllowed) stays.at(-1)?.refused.add(connection);
    // What it waited for meanwhile is for it.
    else for (const { refused } of stays) refused.delete(connection);
    return isAllowed;
  }

  *#step(): Turns {
    const chance = this.#chance.next();
    const member = this.#chance.of(this.#members);
    const broker = this.#chance.of(this.#brokers);
    if (chance < 0.4) this.#publish(this.#chance.is(0.1) ? 'all' : this.#chance.of(ROOMS));
    else if (chance < 0.65) yield* this.#change(member, this.#chance.of(ROOMS));
    else if (chance < 0.68)
      this.#call('disconnect', this.#chance.of(this.#hubs).clients.disconnect(member.name));
    else if (chance < 0.75) this.#cut(member);
    else if (chance < 0.83) broker.isBehind = true;
    else if (chance < 0.92) broker.catchUp();
    else if (chance < 0.95) {
      this.note(`lose ${this.#brokers.indexOf(broker)}`);
      broker.lose(this.#chance.is(0.5) ? 'all' : undefined);
    } else broker.trickle(1);
  }

  #publish(room: string): void {
    const number = this.#events.length;
    this.#events.push({ room, position: Number.POSITIVE_INFINITY });
    const published = this.#chance.of(this.#hubs).publish(room, number);
    this.#call('publish', published);
    published.then(id => {
      if (positionOf(id) > positionOf(this.#newest)) this.#newest = id;
    });
  }

  #call(what: string, call: Promise<unknown>): void {
    this.#calls.push(call.catch(error => this.faults.push(`${what} rejects: ${error}`)));
  }

  #cut(member: Member): void {
    this.note(`cut ${member.name}`);
    member.connection?.cut();
  }

  /** A stream has ended: its client comes back. */
  #reconnect(): void {
    for (const member of this.#members) {
      if (!member.connection?.isOver) continue;
      member.connect(this.#chance.of(this.#hubs));
    }
  }

  #staysOf(member: string, room: string): Stay[] {
    const key = `${member} ${room}`;
    const found = this.#stays.get(key) ?? [
      { isIn: false, after: -1, upTo: Number.POSITIVE_INFINITY, refused: new Set() },
    ];
    this.#stays.set(key, found);
    return found;
  }

  /** The application changes its database, then tells the hubs. */
  *#change(member: Member, room: string): Turns {
    const rooms = this.#database.get(member.name) as Map<string, string>;
    const { clients } = this.#chance.of(this.#hubs);
    const stays = this.#staysOf(member.name, room);
    const isIn = !rooms.has(room);
    const last = stays.at(-1) as Stay;
    last.upTo = isIn ? positionOf(this.#newest) : this.#log.head;
    last.connection = member.connection;
    if (isIn) rooms.set(room, this.#newest);
    else rooms.delete(room);
    this.note(`${member.name} ${isIn ? 'joins' : 'leaves'} ${room} since ${this.#newest}`);
    stays.push({ isIn, after: Number.POSITIVE_INFINITY, upTo: Number.POSITIVE_INFINITY, refused: new Set() });
    if (isIn) yield* this.#await(clients.subscribe(member.name, room));
    else if (GUARDED_ROOMS.includes(room)) yield* this.#await(clients.recheck(member.name));
    else yield* this.#await(clients.unsubscribe(member.name, room));
    (stays.at(-1) as Stay).after = this.#log.head;
  }

  *#settle(): Turns {
    for (const broker of this.#brokers) broker.catchUp();
    yield* this.#await(...this.#calls);
    const number = this.#events.length;
    this.#publish('all');
    for (let turns = 0; turns < 2_000; turns++) {
      if (this.#members.every(({ received }) => received.includes(number))) break;
      this.#reconnect();
      yield 'turn';
    }
    for (let turns = 0; turns < 50; turns++) yield 'turn';
    for (const { name, received } of this.#members)
      if (!received.includes(number)) this.faults.push(`${name} does not receive the last event`);
  }

  #judge(): void {
    for (const member of this.#members) {
      const { name, received, resets } = member;
      const seen = new Set<number>();
      for (const number of received) {
        if (seen.has(number)) this.faults.push(`${name} receives ${number} twice`);
        seen.add(number);
      }
      this.#events.forEach(({ room, position }, number) => {
        const stays = room === 'all' ? [] : this.#staysOf(name, room);
        const stay = stays.find(({ after, upTo }) => after < position && position <= upTo);
        // A guard withdraws a room at once, with what was on its way.
        const isDue = room === 'all' || (stay?.isIn && isServed(stay) && !GUARDED_ROOMS.includes(room));
        if (isDue && !seen.has(number) && !resets.includes(room))
          this.faults.push(`${name} does not receive ${number} of ${room}`);
        const isGuarded = GUARDED_ROOMS.includes(room);
        const isWrong = isGuarded
          ? [...(stay?.refused ?? [])].some(({ received }) => received.has(number))
          : seen.has(number);
        if (stay?.isIn === false && isWrong)
          this.faults.push(`${name} receives ${number} of ${room}, and is out`);
      });
    }
  }
}

function isServed({ upTo, connection }: Stay): boolean {
  return connection === undefined || connection.reached > upTo;
}

function positionOf(id: string): number {
  return Number(id.split('-')[1]);
}

/** Runs one course. Nothing else must run beside it: time and chance are its own. */
export async function playMembership(seed: number, steps: number): Promise<MembershipCourse> {
  clock.start();
  const course = new MembershipCourse(seed);
  try {
    await makeTurns(() => course.play(steps));
  } finally {
    clock.stop();
    await course.close();
  }
  return course;
}
