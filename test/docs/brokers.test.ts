import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { freePort } from '../support/server.ts';
import { root, snippet } from '../support/snippets.ts';

const PAGE = 'docs/brokers.md';
const pm2 = createRequire(import.meta.url)
  .resolve('pm2/package.json')
  .replace('package.json', 'bin/');

let folder: string;
let port: number;
const ending: (() => unknown)[] = [];
beforeEach(async () => {
  // Among the tests, so that the packages are found as from any other.
  folder = mkdtempSync(`${root}test/.snippets-`);
  port = await freePort();
});
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
  rmSync(folder, { recursive: true });
});

/** Writes a program of the page, with a port of its own. */
function write(name: string, block: string): void {
  const local = (text: string) => text.replace('listen(3000', `listen(${port}, '127.0.0.1'`);
  writeFileSync(`${folder}/${name}`, local(snippet(PAGE, block)));
}

function run(...args: string[]): ChildProcess {
  const env = { ...process.env, NODE_OPTIONS: '--import tsx', PM2_HOME: `${folder}/.pm2` };
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'ignore', 'inherit'] });
  ending.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGINT');
    const hangs = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await once(child, 'exit');
    clearTimeout(hangs);
  });
  return child;
}

/**
 * Asks until a process answers. A connection that the primary process has handed to one that is killed stays open, with
 * nobody at the other end.
 */
async function ask(options: Parameters<typeof request>[2] = {}): Promise<Client> {
  for (;;) {
    const asked = request(`http://127.0.0.1:${port}`, '/', options).catch(() => pause(50));
    const client = await Promise.race([asked, pause(2_000)]);
    if (client !== undefined) return client;
  }
}

/** Publishes an event. Resolves with its id. A process that is killed meanwhile does not answer. */
async function publish(): Promise<string> {
  for (;;) {
    const answer = await ask({ method: 'POST' });
    if (await answer.ended) return answer.text;
  }
}

/** A client that reconnects until it has what it waits for, as an EventSource does. */
class Follower {
  readonly ids: string[] = [];
  readonly processes = new Set<number>();
  resets = 0;
  #client: Client | undefined;
  #lastEventId: string | undefined;

  /** Resolves when it has a position. */
  async begin(): Promise<void> {
    this.#client = await ask();
    await this.#client.until(({ events }) => events.length > 0);
    this.#take(this.#client.events.splice(0));
  }

  async until(id: string): Promise<void> {
    while (!this.ids.includes(id)) {
      this.#client ??= await ask({ headers: { 'last-event-id': this.#lastEventId ?? '' } });
      const client = this.#client;
      const isThere = () => client.events.some(event => event.id === id && event.event === undefined);
      await Promise.race([client.until(isThere).catch(() => {}), client.ended]);
      this.#take(client.events.splice(0));
      if (!this.ids.includes(id)) this.#client = undefined;
    }
  }

  /** It has received these, in order and once each. Of others that were stored, nobody has an answer. */
  expectAll(ids: readonly string[]): void {
    expect(this.ids.filter(id => ids.includes(id))).toEqual(ids);
    expect(new Set(this.ids).size).toBe(this.ids.length);
    expect(this.resets).toBe(0);
  }

  leave(): void {
    this.#client?.reset();
  }

  #take(events: Client['events']): void {
    for (const { id, event, data } of events) {
      this.#lastEventId = id ?? this.#lastEventId;
      if (event === 'reset') this.resets += 1;
      if (event !== undefined) continue;
      this.ids.push(id ?? '');
      this.processes.add(Number(data));
    }
  }
}

/** Publishes until several processes have answered. Returns all ids. */
async function publishFromSeveral(follower: Follower): Promise<string[]> {
  const ids: string[] = [];
  while (follower.processes.size < 2) {
    ids.push(await publish());
    await follower.until(ids.at(-1) as string);
  }
  return ids;
}

async function follow(): Promise<Follower> {
  const follower = new Follower();
  ending.push(() => follower.leave());
  await follower.begin();
  return follower;
}

describe('the page about brokers', () => {
  it('one process: clients resume after a restart', async () => {
    write('server.ts', 'server');
    const first = run('server.ts');
    const follower = await follow();
    const ids = [await publish()];
    await follower.until(ids[0] as string);
    const exited = once(first, 'exit');
    first.kill('SIGINT');
    expect(await exited).toEqual([0, null]);
    run('server.ts');
    for (let count = 0; count < 3; count++) ids.push(await publish());
    await follower.until(ids.at(-1) as string);
    follower.expectAll(ids);
    expect(follower.processes.size).toBe(2);
  });

  it('node:cluster: every process sends the events of the others, and clients resume when one is killed', async () => {
    write('server.ts', 'cluster');
    run('server.ts');
    const follower = await follow();
    const ids = await publishFromSeveral(follower);
    for (const pid of [...follower.processes]) {
      process.kill(pid, 'SIGKILL');
      ids.push(await publish());
      await follower.until(ids.at(-1) as string);
    }
    follower.expectAll(ids);
  });

  it('PM2: clients resume when the processes are reloaded', async () => {
    write('server.js', 'server');
    write('ecosystem.config.cjs', 'pm2');
    writeFileSync(`${folder}/package.json`, '{ "type": "module" }');
    run(`${pm2}pm2-runtime`, 'start', 'ecosystem.config.cjs');
    const follower = await follow();
    const ids = await publishFromSeveral(follower);
    const before = follower.processes.size;
    const [code] = await once(run(`${pm2}pm2`, 'reload', 'app'), 'exit');
    expect(code).toBe(0);
    while (follower.processes.size < before + 1) {
      ids.push(await publish());
      await follower.until(ids.at(-1) as string);
    }
    follower.expectAll(ids);
  });
});
