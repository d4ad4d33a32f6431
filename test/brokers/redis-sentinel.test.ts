import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createHub, type Hub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import type { RedisClient } from '@tidings/redis';
import { Redis } from 'ioredis';
import { createSentinel } from 'redis';
import { expect, it } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { seen } from '../support/received.ts';
import { freePort, listen, type Running } from '../support/server.ts';
import { describeWith } from '../support/system.ts';
import { broker } from './redis-clients.ts';
import { REDIS, RedisServer } from './redis-server.ts';

/** ms for which the master is frozen at least. */
const FREEZE = Number(process.env.FREEZE ?? 0);

describeWith(REDIS, 'Redis with three sentinels', () => {
  it.concurrent.each<[string, (watched: Watched) => unknown]>([
    [
      'a failover',
      async watched => {
        watched.failOver();
        // Until then both are masters.
        await eventually(() => watched.master.cli('ROLE').startsWith('slave'));
      },
    ],
    [
      'a master that is frozen, and comes back when there is another',
      async ({ master, hasMoved }) => {
        master.freeze();
        await Promise.all([hasMoved, pause(FREEZE)]);
        master.thaw();
      },
    ],
    [
      'a master that is killed, and comes back empty',
      async ({ master, hasMoved }) => {
        await master.kill();
        await hasMoved;
        await master.start();
      },
    ],
  ])(
    'survives %s: clients receive everything, or a reset',
    async (_, befall) => {
      const watched = await Watched.start();
      const pairs: Pair[] = [];
      try {
        for (const source of await watched.clients()) pairs.push(await Pair.start(source));
        for (const pair of pairs) pair.publish();
        await befall(watched);
        await watched.hasMoved;
        for (const pair of pairs) await pair.settle();
      } finally {
        for (const pair of pairs) await pair.close();
        await watched.remove();
      }
    },
    60_000 + FREEZE,
  );
});

/** A master, its replica, and the three sentinels that watch them. */
class Watched {
  readonly master: RedisServer;
  readonly #replica: RedisServer;
  readonly #folder = mkdtempSync(join(tmpdir(), 'tidings-sentinel-'));
  readonly #sentinels: { port: number; process: ChildProcess }[] = [];
  readonly #ending: (() => unknown)[] = [];

  private constructor(master: RedisServer, replica: RedisServer) {
    this.master = master;
    this.#replica = replica;
  }

  static async start(): Promise<Watched> {
    const master = await RedisServer.start('--repl-diskless-sync-delay', '0');
    const replica = await RedisServer.start('--replicaof', `127.0.0.1 ${master.port}`);
    const watched = new Watched(master, replica);
    await eventually(() => master.cli('INFO', 'replication').includes('state=online'));
    for (let count = 0; count < 3; count++) {
      watched.#sentinels.push(await startSentinel(watched.#folder, master.port));
    }
    // Each knows the others, and the replica.
    const views = () => watched.#sentinels.map(({ port }) => cli(port, 'SENTINEL', 'MASTER', 'main'));
    await eventually(() => views().every(view => /num-slaves\n1\nnum-other-sentinels\n2\n/.test(view)));
    return watched;
  }

  /** Resolves when the sentinels name the other server. */
  get hasMoved(): Promise<void> {
    return eventually(() => {
      return this.#ask('GET-MASTER-ADDR-BY-NAME', 'main').endsWith(String(this.#replica.port));
    });
  }

  failOver(): void {
    this.#ask('FAILOVER', 'main');
  }

  /** A client of each library. */
  async clients(): Promise<RedisClient[]> {
    const nodes = this.#sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
    const sentinel = createSentinel({ name: 'main', sentinelRootNodes: nodes });
    sentinel.on('error', () => {});
    const early = createHub({ broker: broker(sentinel, 'early'), publishTimeout: 300, onError: () => {} });
    await expect(early.ready()).rejects.toMatchObject({ message: expect.stringMatching(/call its connect/) });
    await early.close();
    await sentinel.connect();
    this.#ending.push(() => sentinel.destroy());
    return [sentinel, new Redis({ sentinels: nodes, name: 'main', lazyConnect: true })];
  }

  async remove(): Promise<void> {
    for (const end of this.#ending) await end();
    for (const { process } of this.#sentinels) process.kill('SIGKILL');
    await this.master.remove();
    await this.#replica.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #ask(...args: string[]): string {
    return cli(this.#sentinels[0]?.port as number, 'SENTINEL', ...args);
  }
}

let pairs = 0;

/** Two processes of a hub, and a client of the second, to which the first publishes numbers. */
class Pair {
  readonly #hubs: Hub[];
  readonly #at: Running;
  readonly #client: Client;
  #next = 0;
  readonly #accepted = new Set<number>();
  #publishing: Promise<void> | undefined;
  #isOver = false;

  private constructor(hubs: Hub[], at: Running, client: Client) {
    this.#hubs = hubs;
    this.#at = at;
    this.#client = client;
  }

  static async start(source: RedisClient): Promise<Pair> {
    const prefix = `hub${pairs++}`;
    const hubs = [0, 1].map(() =>
      createHub({ broker: broker(source, prefix), onError: () => {}, publishTimeout: 1_000 }),
    );
    const at = await listen((req, res) => {
      openStream(req, res, { hub: hubs[1] as Hub }).subscribe('x');
    });
    const client = await request(at.origin, '/');
    await client.until(({ events }) => events.length > 0);
    return new Pair(hubs, at, client);
  }

  /** Publishes until `settle`. */
  publish(): void {
    this.#isOver = false;
    this.#publishing = (async () => {
      while (!this.#isOver) {
        await this.#publishOne();
        await pause(2);
      }
    })();
  }

  /** Expects that the client has received what was accepted, or a reset in its place. */
  async settle(): Promise<void> {
    const before = this.#accepted.size;
    await eventually(() => this.#accepted.size > before + 20);
    this.#isOver = true;
    await this.#publishing;
    while (!(await this.#publishOne()));
    const last = this.#next - 1;
    await this.#client.until(each => seen(each).some(({ data }) => data === String(last)));
    let next = 0;
    let newest = -1;
    let isReset = false;
    for (const { event, data } of seen(this.#client)) {
      const number = Number(data);
      if (event === 'reset') isReset = true;
      // A restarted master has old data until it becomes a replica: the client receives what is retained there.
      else if (isReset && number <= newest) next = number + 1;
      else {
        expect(number).toBeGreaterThanOrEqual(next);
        if (!isReset) expect([...this.#accepted].filter(each => each >= next && each < number)).toEqual([]);
        isReset = false;
        next = number + 1;
        newest = Math.max(newest, number);
      }
    }
    expect(next).toBe(last + 1);
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#publishing;
    this.#at.kill();
    for (const hub of this.#hubs) await hub.close({ within: 0 });
  }

  async #publishOne(): Promise<boolean> {
    const number = this.#next++;
    return (this.#hubs[0] as Hub).publish('x', number).then(
      () => {
        this.#accepted.add(number);
        return true;
      },
      () => false,
    );
  }
}

async function startSentinel(folder: string, masterPort: number) {
  const port = await freePort();
  const config = join(folder, `${port}.conf`);
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor main 127.0.0.1 ${masterPort} 2`,
    'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 3000',
  ];
  writeFileSync(config, lines.join('\n'));
  const process = spawn(REDIS, [config, '--sentinel'], { stdio: 'ignore' });
  await once(process, 'spawn');
  await eventually(() => cli(port, 'PING') === 'PONG');
  return { port, process };
}

/** Waits for something that a program is asked for: not too often. A server that is demoted closes its connections. */
async function eventually(condition: () => boolean): Promise<void> {
  const isTrue = () => {
    try {
      return condition();
    } catch {
      return false;
    }
  };
  while (!isTrue()) await pause(50);
}

function cli(port: number, ...args: string[]): string {
  return execFileSync('redis-cli', ['-p', String(port), ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
}
