import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import { describeWith } from '../support/system.ts';
import { Chaos } from './chaos-clients.ts';
import { current } from './redis-clients.ts';
import { REDIS, RedisServer } from './redis-server.ts';

const RUNS = Number(process.env.CHAOS ?? 1);
const NODES = 3;
const CLIENTS = 60;
const EVENTS = 20_000;

describeWith(
  REDIS,
  `${CLIENTS} clients of ${NODES} processes that are killed, with a Redis that is restarted`,
  () => {
    it.each(Array.from({ length: RUNS }, (_, index) => index + 1))(
      'receive every event once and in order, without a reset, and nothing after they are removed (run %i)',
      async () => {
        const redis = await RedisServer.start('--appendonly', 'yes');
        const chaos: Chaos = new Chaos(() => nodes.origin);
        const nodes: Nodes = new Nodes(redis.url, chaos.refused);
        let troubles = 0;
        try {
          await nodes.start();
          const faults = await chaos.run(CLIENTS, EVENTS, async () => {
            await pause(600 + Math.random() * 600);
            if (troubles++ % 3 < 2) await nodes.replace();
            else {
              await redis.kill();
              await pause(Math.random() * 400);
              await redis.start();
            }
          });
          expect(chaos.feed.accepted.size).toBeGreaterThan(EVENTS * 0.9);
          expect(faults).toEqual([]);
        } finally {
          nodes.end();
          await redis.remove();
          chaos.close();
        }
      },
      600_000,
    );
  },
);

/** The processes of the hub. Each may be killed and replaced. */
class Nodes {
  readonly #url: string;
  readonly #refused: string;
  #running: Child[] = [];
  #started = 0;

  constructor(url: string, refused: string) {
    this.#url = url;
    this.#refused = refused;
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
    return start(new URL('chaos-node.ts', import.meta.url), this.#url, name, this.#refused);
  }
}
