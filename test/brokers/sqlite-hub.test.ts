import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createHub, type Hub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { sqliteBroker } from '@tidings/sqlite';
import { afterEach, expect, it } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';
import { DatabaseFile } from './sqlite-setup.ts';

/** What handlers see: no markers. */
const seen = ({ events }: Client) => events.filter(({ event }) => event !== 'tidings');
const data = (client: Client) => seen(client).map(event => event.data);
const lastId = ({ events }: Client) => events.findLast(({ id }) => id !== undefined)?.id ?? '';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

interface Node {
  hub: Hub;
  at: Running;
  errors: unknown[];
  close(): Promise<void>;
}

/** A process: its hub, behind a server where every request is subscribed to the channel that its path names. */
async function startNode({ path: file }: { path: string }): Promise<Node> {
  const errors: unknown[] = [];
  const hub = createHub({
    broker: sqliteBroker({ file }),
    onError: error => errors.push(error),
    publishTimeout: 500,
  });
  const at = await listen((req, res) => {
    const { pathname, searchParams } = new URL(req.url, 'http://x');
    openStream(req, res, { hub, client: searchParams.get('client') ?? undefined }).subscribe(
      pathname.slice(1),
    );
  });
  const close = async () => {
    at.kill();
    await hub.close({ within: 0 });
  };
  ending.push(close);
  return { hub, at, errors, close };
}

async function connect({ at }: Node, path: string, id?: string): Promise<Client> {
  const client = await request(at.origin, path, id === undefined ? {} : { headers: { 'last-event-id': id } });
  if (id === undefined) await client.until(({ events }) => events.length > 0);
  return client;
}

it('a client resumes in another process, and in one that is started after all have closed', async () => {
  const file = new DatabaseFile();
  const [a, b] = [await startNode(file), await startNode(file)];
  await a.hub.ready();
  const one = await connect(a, '/x');
  const other = await connect(b, '/x');
  const id = await a.hub.publish('x', 1);
  await Promise.all([one, other].map(client => client.until(each => data(each).length === 1)));
  expect([lastId(one), lastId(other)]).toEqual([id, id]);
  await b.hub.publish('x', 2);
  const back = await connect(b, '/x', id);
  await back.until(each => data(each).length === 1);
  for (const { close } of [a, b]) await close();
  const c = await startNode(file);
  await c.hub.publish('x', 3);
  const again = await connect(c, '/x', id);
  await again.until(each => data(each).length === 2);
  expect(data(again)).toEqual(['2', '3']);
  expect([...a.errors, ...b.errors, ...c.errors]).toEqual([]);
});

it('a client that is disconnected in one process is disconnected in all, and a channel that ended has ended', async () => {
  const file = new DatabaseFile();
  const [a, b] = [await startNode(file), await startNode(file)];
  const ann = await connect(b, '/x?client=ann');
  const bob = await connect(b, '/x?client=bob');
  await a.hub.clients.disconnect('ann');
  expect(await ann.ended).toBe(true);
  await a.hub.channel('x').end();
  expect(await bob.ended).toBe(true);
  await expect(b.hub.publish('x', 1)).rejects.toMatchObject({ code: 'ended' });
  expect((await connect(b, '/x', lastId(bob))).status).toBe(204);
});

it('streams stay open while the file is locked, and receive the events that are accepted then', async () => {
  const file = new DatabaseFile();
  const node = await startNode(file);
  const client = await connect(node, '/x');
  await node.hub.publish('x', 1);
  const other = file.open();
  other.exec('BEGIN IMMEDIATE');
  await expect(node.hub.publish('x', 2)).rejects.toMatchObject({ code: 'not-stored' });
  other.exec('COMMIT');
  await node.hub.publish('x', 3);
  await client.until(each => data(each).length === 2);
  expect(data(client)).toEqual(['1', '3']);
});

it('a stream receives one reset when the file is replaced, and then new events', async () => {
  const file = new DatabaseFile();
  const node = await startNode(file);
  const client = await connect(node, '/x');
  const id = await node.hub.publish('x', 1);
  await client.until(each => data(each).length === 1);
  file.remove();
  await client.until(each => seen(each).some(({ event }) => event === 'reset'));
  await node.hub.publish('x', 2);
  await client.until(each => data(each).at(-1) === '2');
  expect(seen(client).map(({ event }) => event)).toEqual([undefined, 'reset', undefined]);
  const back = await connect(node, '/x', id);
  await back.until(each => seen(each).length > 0);
  expect(seen(back)[0]?.event).toBe('reset');
});

it('a hub whose file cannot be opened is not ready, reports the cause, and starts when the file can be opened', async () => {
  const file = new DatabaseFile();
  const folder = join(file.path, '..', 'later');
  const node = await startNode({ path: join(folder, 'hub.db') });
  await expect(node.hub.ready()).rejects.toMatchObject({
    code: 'broker',
    message: expect.stringMatching(/open/),
  });
  await mkdir(folder);
  await node.hub.publish('x', 1).catch(() => node.hub.ready());
  expect(await node.hub.publish('x', 2)).toMatch(/-\d+$/);
});
