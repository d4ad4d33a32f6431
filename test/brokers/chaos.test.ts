import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import { type Client, request } from '../support/client.ts';
import { describeWith } from '../support/system.ts';
import type { Outcome, Post } from './chaos-node.ts';
import { current } from './redis-clients.ts';
import { REDIS, RedisServer } from './redis-server.ts';

const RUNS = Number(process.env.CHAOS ?? 1);
const NODES = 3;
const CLIENTS = 60;
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
      'receive every event once and in order, without a reset (run %i)',
      async () => {
        const redis = await RedisServer.start('--appendonly', 'yes');
        const nodes = new Nodes(redis.url);
        try {
          await nodes.start();
          const feed = new Feed(nodes);
          const clients = Array.from({ length: CLIENTS }, (_, index) => {
            return new ReconnectingClient(nodes, CHANNELS.slice(index % CHANNELS.length).concat('all'));
          });
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
          await feed.publish(EVENTS);
          isOver = true;
          await troubles;
          await feed.end();
          for (const client of clients) client.isLast = true;
          await reading;

          expect(feed.accepted.size).toBeGreaterThan(EVENTS * 0.9);
          for (const { channels, received, resets } of clients) {
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
    this.#running.push(await this.#startOne());
  }

  end(): void {
    for (const node of this.#running) node.kill('SIGKILL');
  }

  #startOne(): Promise<Child> {
    const { name } = current[this.#started++ % current.length] as (typeof current)[number];
    return start(new URL('chaos-node.ts', import.meta.url), this.#url, name);
  }
}

/** Publishes, and records which events were accepted. */
class Feed {
  /** By their data. Of the others nothing is known. */
  readonly accepted = new Map<number, Post>();
  /** The data of events that were certainly not stored. */
  readonly refused = new Set<number>();
  readonly #nodes: Nodes;

  constructor(nodes: Nodes) {
    this.#nodes = nodes;
  }

  async publish(count: number): Promise<void> {
    const sent: Promise<void>[] = [];
    for (let data = 0; data < count; data += BATCH) {
      sent.push(this.#post(Array.from({ length: BATCH }, (_, index) => postOf(data + index))));
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
    const request = fetch(this.#nodes.origin, { method: 'POST', body: JSON.stringify(posts) });
    const answer = request.then(response => response.json()) as Promise<Outcome[]>;
    // Without a response, the process was killed, before or after it published.
    const outcomes = await answer.catch(() => []);
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
  readonly channels: readonly string[];
  readonly received: { position: number; data: number }[] = [];
  readonly resets: string[] = [];
  /** Whether it stays until the last event has arrived. */
  isLast = false;
  readonly #nodes: Nodes;
  #lastEventId: string | undefined;

  constructor(nodes: Nodes, channels: readonly string[]) {
    this.#nodes = nodes;
    this.channels = channels;
  }

  async read(): Promise<void> {
    while (this.received.at(-1)?.data !== LAST) {
      const headers = this.#lastEventId === undefined ? {} : { 'last-event-id': this.#lastEventId };
      const client = await request(this.#nodes.origin, `/${this.channels}`, { headers }).catch(
        () => undefined,
      );
      if (client === undefined) {
        await pause(50);
        continue;
      }
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

function postOf(data: number): Post {
  return { channel: CHANNELS[data % CHANNELS.length] as string, data };
}

function positionOf(id = ''): number {
  return Number(id.split('-')[1]);
}

function between(least: number, most: number): number {
  return least + Math.random() * (most - least);
}
