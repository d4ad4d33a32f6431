import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Client, request } from '../support/client.ts';

/** An event that is posted to a server. */
export interface Post {
  channel: string;
  data: number;
}

/** Asks to disconnect a client. */
export interface Removal {
  disconnect: string;
}

/** The result of one of them. */
export interface Outcome {
  id?: string;
  code?: string;
}

/** Published to every client at the end. */
const LAST = -1;
const NEVER = new Promise<void>(() => {});
const CHANNELS = ['a', 'b', 'c', 'd'];

/** Clients of several processes, of which some are removed while events are published. */
export class Chaos {
  readonly feed: Feed;
  /** Has a file for each client that was removed. */
  readonly refused = mkdtempSync(join(tmpdir(), 'tidings-refused-'));
  readonly #origin: () => string;

  /** @param origin of a process that is asked next. */
  constructor(origin: () => string) {
    this.#origin = origin;
    this.feed = new Feed(origin);
  }

  /**
   * Publishes events to so many clients, and removes every third of them.
   *
   * @param trouble called again and again, until all is published.
   * @param isEnough until it returns true, more events are published.
   * @returns what is wrong with what the clients have received: nothing if nothing is.
   */
  async run(
    clients: number,
    events: number,
    trouble: () => Promise<void>,
    isEnough = () => true,
  ): Promise<string[]> {
    const all = Array.from({ length: clients }, (_, index) => {
      const channels = CHANNELS.slice(index % CHANNELS.length).concat('all');
      return new ReconnectingClient(this.#origin, `client${index}`, channels);
    });
    const removed = all.filter((_, index) => index % 3 === 0);
    const reading = Promise.all(all.map(client => client.read()));
    let isOver = false;
    const troubles = (async () => {
      while (!isOver) await trouble();
    })();
    await Promise.all([this.feed.publish(events, CHANNELS, isEnough), this.#removeAll(removed)]);
    isOver = true;
    await troubles;
    await this.feed.end();
    for (const client of all) client.isLast = true;
    await reading;
    return all.flatMap(client => client.faults(this.feed).slice(0, 5));
  }

  close(): void {
    rmSync(this.refused, { recursive: true });
  }

  /** A few at a time. */
  async #removeAll(clients: readonly ReconnectingClient[]): Promise<void> {
    for (let start = 0; start < clients.length; start += 5) {
      await pause(100 + Math.random() * 400);
      const removing = clients.slice(start, start + 5).map(async client => {
        await this.#remove(client.name);
        client.removedAt = this.feed.next;
      });
      await Promise.all(removing);
    }
  }

  /** Has every process refuse a client, and one of them disconnect it. Resolves when that is acknowledged. */
  async #remove(name: string): Promise<void> {
    writeFileSync(join(this.refused, name), '');
    for (;;) {
      const outcome = await post<Outcome>(this.#origin(), { disconnect: name }).catch((): Outcome => ({}));
      if (outcome.id !== undefined) return;
    }
  }
}

/** Publishes, and records which events were accepted. */
class Feed {
  /** By their data. Of the others nothing is known. */
  readonly accepted = new Map<number, Post>();
  /** The data of events that were certainly not stored. */
  readonly refused = new Set<number>();
  /** The data of the next event. */
  next = 0;
  readonly #origin: () => string;

  constructor(origin: () => string) {
    this.#origin = origin;
  }

  /** Publishes at least so many events, in turn to the channels, 16 in a request. */
  async publish(count: number, channels: readonly string[], isEnough: () => boolean): Promise<void> {
    const sent: Promise<void>[] = [];
    while (this.next < count || !isEnough()) {
      const posts = Array.from({ length: 16 }, () => {
        const data = this.next++;
        return { channel: channels[data % channels.length] as string, data };
      });
      sent.push(this.#post(posts));
      await pause(10);
    }
    await Promise.all(sent);
  }

  /** Publishes the last event. */
  async end(): Promise<void> {
    while (!this.accepted.has(LAST)) await this.#post([{ channel: 'all', data: LAST }]);
  }

  async #post(posts: readonly Post[]): Promise<void> {
    // Without a response, the process was killed, before or after it published.
    const outcomes = await post<Outcome[]>(this.#origin(), posts).catch((): Outcome[] => []);
    outcomes.forEach(({ id, code }, index) => {
      const post = posts[index] as Post;
      if (id !== undefined) this.accepted.set(post.data, post);
      else if (code === 'not-stored') this.refused.add(post.data);
      else if (code !== 'maybe-stored') throw new Error(`publish rejects with ${code}`);
    });
  }
}

/** A client that reconnects as a browser does: with its last id, to any of the processes. */
class ReconnectingClient {
  readonly name: string;
  readonly channels: readonly string[];
  /** It must not receive events from this one on: they were published after its removal was acknowledged. */
  removedAt = Number.POSITIVE_INFINITY;
  readonly received: { position: number; data: number }[] = [];
  readonly resets: string[] = [];
  /** Whether it stays until the last event has arrived. */
  isLast = false;
  readonly #origin: () => string;
  #lastEventId: string | undefined;

  constructor(origin: () => string, name: string, channels: readonly string[]) {
    this.#origin = origin;
    this.name = name;
    this.channels = channels;
  }

  /** Reads until the last event, or until it is refused. */
  async read(): Promise<void> {
    while (this.received.at(-1)?.data !== LAST) {
      const headers = this.#lastEventId === undefined ? {} : { 'last-event-id': this.#lastEventId };
      const path = `/${this.channels}/${this.name}`;
      const client = await request(this.#origin(), path, { headers }).catch(() => undefined);
      if (client === undefined) {
        await pause(50);
        continue;
      }
      if (client.status === 403) return;
      const isLast = client.until(({ events }) => events.at(-1)?.data === String(LAST)).catch(() => {});
      const leaves = pause(100 + Math.random() * 1_900).then(() => (this.isLast ? NEVER : undefined));
      await Promise.race([isLast, leaves, client.ended]);
      client.reset();
      await client.ended;
      this.#take(client);
    }
  }

  /** What is wrong with what it has received. */
  faults(feed: Feed): string[] {
    const isRemoved = this.removedAt < Number.POSITIVE_INFINITY;
    const faults = isRemoved ? this.#faultsOfRemoval() : this.#faultsOfDelivery(feed);
    return faults.map(fault => `${this.name}: ${fault}`);
  }

  #faultsOfRemoval(): string[] {
    const late = this.received.filter(({ data }) => data >= this.removedAt || data === LAST);
    return late.map(({ data }) => `received after its removal: ${data}`);
  }

  #faultsOfDelivery({ accepted, refused }: Feed): string[] {
    const positions = this.received.map(({ position }) => position);
    const came = new Set(this.received.map(({ data }) => data));
    const expected = [...accepted.values()].filter(({ channel }) => this.channels.includes(channel));
    return [
      ...this.resets.map(data => `reset ${data}`),
      ...positions
        .filter((position, index) => index > 0 && position <= (positions[index - 1] as number))
        .map(position => `out of order: ${position}`),
      ...expected.filter(({ data }) => !came.has(data)).map(({ data }) => `lost: ${data}`),
      ...[...came].filter(data => refused.has(data)).map(data => `refused, and received: ${data}`),
      ...(came.size < this.received.length ? ['received twice'] : []),
    ];
  }

  #take({ events }: Client): void {
    for (const { id, event, data } of events) {
      this.#lastEventId = id ?? this.#lastEventId;
      if (event === 'reset') this.resets.push(data);
      if (event !== undefined) continue;
      this.received.push({ position: Number(id?.split('-')[1]), data: Number(data) });
    }
  }
}

async function post<T>(origin: string, body: readonly Post[] | Removal): Promise<T> {
  // The process may be killed, and its port reused by a server that does not respond.
  const signal = AbortSignal.timeout(30_000);
  const response = await fetch(origin, { method: 'POST', body: JSON.stringify(body), signal });
  return (await response.json()) as T;
}
