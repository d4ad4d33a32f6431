import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import { type Client, eventually, request } from '../support/client.ts';
import { describeWith } from '../support/system.ts';
import { REDIS, RedisServer } from './redis-server.ts';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

function stop(node: Child): Promise<unknown> {
  node.kill('SIGKILL');
  return node.ended;
}

/** Two processes of one hub. */
async function twoNodes(kind: 'redis' | 'sqlite', at: string): Promise<[Child, Child]> {
  const program = new URL('presence-node.ts', import.meta.url);
  const nodes = [await start(program, kind, at), await start(program, kind, at)] as [Child, Child];
  ending.push(() => Promise.all(nodes.map(stop)));
  return nodes;
}

/** What a tab was told of the list, in order: who came (+), and who left (-). */
const changes = (tab: Client) =>
  tab.events
    .filter(({ event }) => event === 'came' || event === 'left')
    .map(
      ({ event, data }) => (event === 'came' ? '+' : '-') + (JSON.parse(data) as { client: string }).client,
    );

/** Who is here, as a tab was told. */
const here = (tab: Client) => {
  const names = new Set<string>();
  for (const change of changes(tab)) {
    if (change.startsWith('+')) names.add(change.slice(1));
    else names.delete(change.slice(1));
  }
  return [...names].sort();
};

function declare(kind: 'redis' | 'sqlite', at: () => Promise<string>): void {
  it('lists the right clients after tabs, reloads, and the end of a process', async () => {
    const [a, b] = await twoNodes(kind, await at());
    const open = (node: Child, name: string) => request(node.origin, `/${name}`);
    const tabs = await Promise.all([
      open(a, 'ann'),
      open(a, 'ann'),
      open(b, 'bob'),
      open(b, 'bob'),
      open(a, 'eve'),
      open(b, 'eve'),
    ]);
    const ann = tabs[0] as Client;
    const bob = tabs[2] as Client;
    await eventually(() => [ann, bob].every(tab => here(tab).length === 3));
    // Reloads, of one tab or of both.
    for (let round = 0; round < 5; round++) {
      for (const [index, name] of [
        [1, 'ann'],
        [3, 'bob'],
        [4, 'eve'],
        [5, 'eve'],
      ] as const) {
        (tabs[index] as Client).reset();
        tabs[index] = await open(index === 3 || index === 5 ? b : a, name);
      }
    }
    expect([changes(ann).sort(), changes(bob).sort()]).toEqual(Array(2).fill(['+ann', '+bob', '+eve']));
    a.kill('SIGKILL');
    await a.ended;
    // `eve` has a tab elsewhere; `ann` has none.
    await eventually(() => here(bob).length === 2);
    expect(changes(bob).sort()).toEqual(['+ann', '+bob', '+eve', '-ann']);
    const late = await open(b, 'zoe');
    await eventually(() => here(late).length === 3);
    expect(here(late)).toEqual(['bob', 'eve', 'zoe']);
  });
}

describeWith(REDIS, 'presence over Redis', () => {
  declare('redis', async () => {
    const server = await RedisServer.start();
    ending.push(() => server.remove());
    return server.url;
  });
});

describe('presence over SQLite', () => {
  declare('sqlite', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tidings-presence-'));
    ending.push(() => rmSync(folder, { recursive: true }));
    return join(folder, 'hub.db');
  });
});
