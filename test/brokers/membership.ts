import { setImmediate as turn } from 'node:timers/promises';
import type { EventStream, Frame, Hub, Transport, TransportListener } from '@tidings/core';

/** The members of each room, and the newest event id when each was added. Both hubs read it. */
export class Database {
  readonly #since = new Map<string, string>();

  add(client: string, room: string, since: string): void {
    this.#since.set(`${client} ${room}`, since);
  }

  remove(client: string, room: string): void {
    this.#since.delete(`${client} ${room}`);
  }

  since(client: string, room: string): string | undefined {
    return this.#since.get(`${client} ${room}`);
  }
}

/** What one stream of a member has received. */
class Connection implements Transport {
  listener: TransportListener | undefined;
  readonly bufferedBytes = 0;
  stream: EventStream | undefined;
  /** Numbers of events. */
  readonly received: number[] = [];
  readonly #member: Member;

  constructor(member: Member) {
    this.#member = member;
  }

  open(): void {}

  write(frame: Frame): boolean {
    const text = Buffer.from(frame.bytes).toString();
    for (const block of text.split('\n\n')) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const [event, data, id] = [field('event'), field('data'), field('id')];
      if (event === 'reset') this.#member.resets.push(...JSON.parse(data as string).channels);
      else if (event === undefined && data !== undefined) {
        this.received.push(Number(data));
        this.#member.received.push(Number(data));
      }
      if (id !== undefined) this.#member.lastEventId = id;
    }
    return true;
  }

  end(): void {
    this.listener?.closed();
  }

  destroy(): void {
    this.listener?.closed();
  }
}

/** A client that reconnects, to any of the hubs, whenever its stream ends. */
export class Member {
  readonly name: string;
  lastEventId: string;
  /** The numbers of events, over all streams. */
  readonly received: number[] = [];
  /** Rooms that were named by resets. */
  readonly resets: string[] = [];
  connection = new Connection(this);
  readonly #hubs: readonly Hub[];
  readonly #rooms: readonly string[];
  readonly #database: Database;
  #isOver = false;

  /** @param position of the hubs: it may break its connection before it has received an id. */
  constructor(
    name: string,
    hubs: readonly Hub[],
    rooms: readonly string[],
    database: Database,
    position: string,
  ) {
    this.name = name;
    this.lastEventId = position;
    this.#hubs = hubs;
    this.#rooms = rooms;
    this.#database = database;
    this.#connect();
  }

  #connect(): void {
    const hub = this.#hubs[Math.floor(Math.random() * this.#hubs.length)] as Hub;
    const connection = new Connection(this);
    this.connection = connection;
    const { lastEventId } = this;
    const stream = hub.open(connection, { method: 'GET', url: '/', lastEventId }, { client: this.name });
    connection.stream = stream;
    stream.subscribe('all');
    for (const room of this.#rooms) {
      const since = this.#database.since(this.name, room);
      if (since !== undefined) stream.subscribe(room, { from: { since } });
    }
    stream.closed.then(async () => {
      await turn();
      if (!this.#isOver) this.#connect();
    });
  }

  /** Its connection breaks. */
  cut(): void {
    this.connection.listener?.closed();
  }

  stop(): void {
    this.#isOver = true;
  }
}
