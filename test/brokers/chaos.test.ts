import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import { type Client, request } from '../support/client.ts';
import { describeWith } from '../support/system.ts';
import type { Outcome, Post, Removal } from './chaos-node.ts';
import { current } from './redis-clients.ts';
import { REDIS, RedisServer } from './redis-server.ts';

const RUNS = Number(process.env.CHAOS ?? 1);
const NODES = 3;
const CLIENTS = 60;
/** Of these, how many are removed. */
const REMOVED = 20;
const EVENTS = 20_000;
/** Events posted to one process at once. */
const BATCH = 16;
const CHANNELS = ['a', 'b', 'c', 'd'];
/** Published to every client at the end. */
const LAST = -1;
const NEVER = new Promise<void>(() => {});

describeWith(
  REDIS,
  `${CLIENTS} clients of ${NODES} processes that are killed, with a Redis that is restarted`,
  () => {
    it.each(Array.from({ length: RUNS }, (_, index) => index + 1))(
      'receive every event once and in order, without a reset, and nothing after they are removed (run %i)',
      async () => {
        const redis = await RedisServer.start('--appendonly', 'yes');
        const nodes = new Nodes(redis.url);
        try {
          await nodes.start();
          const feed = new Feed(nodes);
          const clients = Array.from({ length: CLIENTS }, (_, index) => {
            const channels = CHANNELS.slice(index % CHANNELS.length).concat('all');
            return new ReconnectingClient(nodes, `client${index}`, channels);
          });
          const [removed, others] = [clients.slice(0, REMOVED), clients.slice(REMOVED)];
          const reading = Promise.all(clients.map(client => client.read()));
          let isOver = false;
          const troubles = (async () => {
            for (let count = 0; !isOver; count++) {
              await pause(between(600, 1_200));
              if (count % 3 < 2) await nodes.replace();
              else {
                await redis.kill();
                await pause(between(0, 400));
                await redis.start();
              }
            }
          })();
          await Promise.all([feed.publish(EVENTS), removeAll(nodes, feed, removed)]);
          isOver = true;
          await troubles;
          await feed.end();
          for (const client of others) client.isLast = true;
          await reading;

          expect(feed.accepted.size).toBeGreaterThan(EVENTS * 0.9);
          for (const { name, received, removedAt } of removed) {
            const late = received.filter(({ data }) => data >= removedAt);
            expect({ name, late }).toEqual({ name, late: [] });
          }
          for (const { channels, received, resets } of others) {
            expect(resets).toEqual([]);
            const positions = received.map(({ position }) => position);
            expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
            const came = new Set(received.map(({ data }) => data));
            expect(came.size).toBe(received.length);
            const isFor = ({ channel }: Post) => channels.includes(channel);
            expect([...feed.accepted.values()].filter(isFor).filter(({ data }) => !came.has(data))).toEqual(
              [],
            );
            expect([...came].filter(data => feed.refused.has(data))).toEqual([]);
          }
        } finally {
          nodes.end();
          await redis.remove();
        }
      },
      170_000,
    );
  },
);

/** The processes of the hub. Each may be killed and replaced. */
class Nodes {
  readonly #url: string;
  #running: Child[] = [];
  #started = 0;
  /** The names of clients that every process refuses. */
  readonly #removed: string[] = [];
  #isReplacing: Promise<unknown> = Promise.resolve();

  constructor(url: string) {
    this.#url = url;
  }

  /** The origin of a random process. */
  get origin(): string {
    return (this.#running[Math.floor(Math.random() * this.#running.length)] as Child).origin;
  }

  async start(): Promise<void> {
    this.#running = await Promise.all(Array.from({ length: NODES }, () => this.#startOne()));
  }

  async replace(): Promise<void> {
    const [killed] = this.#running.splice(Math.floor(Math.random() * this.#running.length), 1);
    killed?.kill('SIGKILL');
    const starting = this.#startOne();
    this.#isReplacing = starting;
    this.#running.push(await starting);
  }

  /** Has every process refuse a client, and one of them disconnect it. Resolves when that is acknowledged. */
  async remove(name: string): Promise<void> {
    this.#removed.push(name);
    await this.#isReplacing;
    const refuse = { disconnect: name };
    await Promise.all(this.#running.map(({ origin }) => post(origin, '/refuse', refuse).catch(() => {})));
    for (;;) {
      const outcome = await post<Outcome>(this.origin, '/', refuse).catch((): Outcome => ({}));
      if (outcome.id !== undefined) return;
    }
  }

  end(): void {
    for (const node of this.#running) node.kill('SIGKILL');
  }

  #startOne(): Promise<Child> {
    const { name } = current[this.#started++ % current.length] as (typeof current)[number];
    return start(new URL('chaos-node.ts', import.meta.url), this.#url, name, ...this.#removed);
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
  readonly #nodes: Nodes;

  constructor(nodes: Nodes) {
    this.#nodes = nodes;
  }

  async publish(count: number): Promise<void> {
    const sent: Promise<void>[] = [];
    while (this.next < count) {
      const first = this.next;
      this.next += BATCH;
      sent.push(this.#post(Array.from({ length: BATCH }, (_, index) => postOf(first + index))));
      await pause(10);
    }
    await Promise.all(sent);
  }

  /** Publishes the last event. */
  async end(): Promise<void> {
    const last: Post = { channel: 'all', data: LAST };
    while (!this.accepted.has(LAST)) await this.#post([last]);
  }

  async #post(posts: readonly Post[]): Promise<void> {
    // Without a response, the process was killed, before or after it published.
    const outcomes = await post<Outcome[]>(this.#nodes.origin, '/', posts).catch((): Outcome[] => []);
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
  readonly #nodes: Nodes;
  #lastEventId: string | undefined;

  constructor(nodes: Nodes, name: string, channels: readonly string[]) {
    this.#nodes = nodes;
    this.name = name;
    this.channels = channels;
  }

  async read(): Promise<void> {
    while (this.received.at(-1)?.data !== LAST) {
      const headers = this.#lastEventId === undefined ? {} : { 'last-event-id': this.#lastEventId };
      const path = `/${this.channels}/${this.name}`;
      const client = await request(this.#nodes.origin, path, { headers }).catch(() => undefined);
      if (client === undefined) {
        await pause(50);
        continue;
      }
      if (client.status === 403) return;
      const isLast = client.until(({ events }) => events.at(-1)?.data === String(LAST)).catch(() => {});
      const leaves = pause(between(100, 2_000)).then(() => (this.isLast ? NEVER : undefined));
      await Promise.race([isLast, leaves, client.ended]);
      client.reset();
      await client.ended;
      this.#take(client);
    }
  }

  #take({ events }: Client): void {
    for (const { id, event, data } of events) {
      this.#lastEventId = id ?? this.#lastEventId;
      if (event === 'reset') this.resets.push(data);
      if (event === undefined) this.received.push({ position: positionOf(id), data: Number(data) });
    }
  }
}

/** Removes clients, a few at a time, while events are published. */
async function removeAll(nodes: Nodes, feed: Feed, clients: readonly ReconnectingClient[]): Promise<void> {
  for (let start = 0; start < clients.length; start += 5) {
    await pause(between(100, 500));
    const removing = clients.slice(start, start + 5).map(async client => {
      await nodes.remove(client.name);
      client.removedAt = feed.next;
    });
    await Promise.all(removing);
  }
}

async function post<T>(origin: string, path: string, body: readonly Post[] | Removal): Promise<T> {
  const response = await fetch(origin + path, { method: 'POST', body: JSON.stringify(body) });
  return (await response.json()) as T;
}

function postOf(data: number): Post {
  return { channel: CHANNELS[data % CHANNELS.length] as string, data };
}

function positionOf(id = ''): number {
  return Number(id.split('-')[1]);
}

function between(least: number, most: number): number {
  return least + Math.random() * (most - least);
}
