import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Draft, Sink } from '@tidings/core';
import { afterEach, expect, it } from 'vitest';
import { loadDriver } from '../src/file/driver.ts';
import { Store } from '../src/file/store.ts';
import { LiveFeed } from '../src/live-feed.ts';
import { append } from '../src/log/append.ts';
import { Maintenance } from '../src/maintenance.ts';

const KEEP = { events: 3, bytes: 1e9, age: 1e9, compact: false };
const draft = (channel: string, data: string, keep: Draft['keep'] = KEEP): Draft => {
  return { channel, kind: 'event', json: false, data, keep };
};

const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

/** The parts of one process, which look at the file only when the test says so. */
async function one(file: string) {
  const got: string[] = [];
  const sink: Sink = {
    entries: list => got.push(...list.map(({ channel, data }) => `${channel} ${data}`)),
    advanced: head => got.push(`to ${head}`),
    lost: names => got.push(`lost ${names ?? 'all'}`),
    broken() {},
    restarted() {},
    connection() {},
    report() {},
  };
  const store = new Store(await loadDriver(file), 'normal', sink);
  ending.push(() => store.close());
  const { head } = store.start();
  const feed = new LiveFeed(store, sink);
  feed.restart(head);
  const publish = (...drafts: Draft[]) =>
    store.write((connection, hub) => append(connection, hub, drafts, 1e9));
  return { store, feed, got, head, publish };
}

async function two() {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-sqlite-'));
  ending.push(() => rmSync(folder, { recursive: true }));
  const a = await one(join(folder, 'hub.db'));
  const b = await one(join(folder, 'hub.db'));
  b.feed.open(['x']);
  b.got.length = 0;
  return { a, b, start: b.head };
}

it('delivers entries that were trimmed already', async () => {
  const { a, b, start } = await two();
  for (const data of ['1', '2', '3', '4', '5']) a.publish(draft('x', data), draft('y', data));
  expect(b.feed.catchUp()).toBe(true);
  expect(b.got).toEqual(['x 1', 'x 2', 'x 3', 'x 4', 'x 5', `to ${start + 10}`]);
});

it('delivers many entries in slices, one for each iteration of the event loop', async () => {
  const { a, b } = await two();
  for (let count = 0; count < 3; count++) {
    a.publish(...Array.from({ length: 400 }, (_, index) => draft(index % 2 ? 'x' : 'y', `${index}`)));
  }
  const results = [b.feed.catchUp(), b.feed.catchUp(), b.feed.catchUp()];
  expect(results).toEqual([false, false, true]);
  expect(b.got.filter(text => text.startsWith('x'))).toHaveLength(600);
});

it('reports only the channels whose entries were deleted before they were delivered', async () => {
  const { a, b } = await two();
  b.feed.open(['y']);
  b.got.length = 0;
  const many = (channel: string) => Array.from({ length: 300 }, (_, index) => draft(channel, `${index}`));
  a.publish(...many('x'), draft('y', '1'));
  a.store.write(connection => connection.run('UPDATE tidings_entries SET at = 1'));
  a.publish(draft('x', 'new'));
  while (!b.feed.catchUp());
  expect(b.got.filter(text => text.startsWith('lost'))).toEqual(['lost x']);
  expect(b.got.slice(0, 2)).toEqual(['lost x', expect.stringMatching(/^x 2/)]);
  expect(b.got).toContain('y 1');
  expect(b.got.at(-2)).toBe('x new');
});

it('reports all channels when the record of one was deleted before its delivery', async () => {
  const { a, b } = await two();
  a.publish(draft('x', '1'));
  a.store.write(connection => connection.run('UPDATE tidings_channels SET due = 1'));
  a.publish(draft('y', '2'));
  b.feed.catchUp();
  expect(b.got[0]).toBe('lost all');
});

it('maintenance deletes unused channels, keeps state that is used, and shrinks the file', async () => {
  const { a, b } = await two();
  const state = { ...KEEP, compact: true };
  a.publish(draft('state', '1', state), draft('unused', '1', state));
  for (let count = 0; count < 40; count++) a.publish(draft(`c${count}`, 'x'.repeat(50_000)));
  b.feed.open(['state']);
  const maintenance = new Maintenance(b.store, b.feed);
  ending.push(() => maintenance.close());
  const get = (sql: string) =>
    b.store.read(connection => Object.values(connection.get<Record<string, number>>(sql) ?? {})[0]);
  const pages = get('PRAGMA page_count') as number;
  a.store.write(connection => {
    connection.run("UPDATE tidings_channels SET due = 1 WHERE name LIKE 'c%'");
    connection.run('UPDATE tidings_channels SET due = due - ? WHERE compact = 1', 48 * 60 * 60_000);
  });
  const dueOf = (name: string) => get(`SELECT due FROM tidings_channels WHERE name = '${name}'`) as number;
  const before = dueOf('state');
  await maintenance.run();
  expect(dueOf('state')).toBeGreaterThan(before);
  expect(dueOf('unused')).toBe(before);
  expect(get('SELECT count(*) FROM tidings_channels')).toBe(2);
  expect(get('PRAGMA page_count')).toBeLessThan(pages / 1.5);
});
