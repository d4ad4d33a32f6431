import { statSync } from 'node:fs';
import type { Draft, Page } from '@tidings/core';
import { sqliteBroker } from '@tidings/sqlite';
import { describe, expect, it } from 'vitest';
import { draft } from './recorder.ts';
import { DatabaseFile } from './sqlite-setup.ts';

const END = Number.MAX_SAFE_INTEGER;
const keep = { events: 10_000, bytes: 1e9, age: 1e9, compact: false };
const data = ({ entries }: Page) => entries.map(entry => entry.data);
const repeat = (count: number, make: (index: number) => Draft) =>
  Array.from({ length: count }, (_, i) => make(i));

/** Counts rows, and makes entries older than they are. */
function inspect(file: DatabaseFile) {
  const database = file.open();
  return {
    count: (where: string) => {
      const [row] = database.prepare(`SELECT count(*) AS count FROM tidings_entries WHERE ${where}`).all();
      return (row as { count: number }).count;
    },
    age: (ms: number) => database.exec(`UPDATE tidings_entries SET at = at - ${ms}`),
    exec: (sql: string) => database.exec(sql),
  };
}

describe('trimmed entries', () => {
  it.each<[string, Partial<Draft['keep']>, number]>([
    ['of a channel without history', { events: 0 }, 0],
    ['of a short history', { events: 3 }, 3],
    ['of a compacted channel', { compact: true }, 2],
  ])('%s is deleted from the file once every process can have delivered it', async (_, more, retained) => {
    const file = new DatabaseFile();
    const node = await file.broker();
    const rows = inspect(file);
    const settings = { keep: { ...keep, ...more } };
    const event = (index: number) => draft('x', `${index}`, { key: `${index % 2}`, ...settings });
    await node.publish(...repeat(400, event));
    expect(rows.count('1')).toBe(400);
    rows.age(20_000);
    for (let count = 0; count < 2; count++) await node.publish(...repeat(20, event));
    expect(rows.count('1')).toBe(40 + Math.max(0, retained - 40));
    expect((await node.broker.read('x', 0, END)).entries).toHaveLength(retained);
  });

  it('from before an end are deleted after the channel has begun again', async () => {
    const file = new DatabaseFile();
    const node = await file.broker();
    const rows = inspect(file);
    await node.publish(...repeat(50, index => draft('x', `${index}`, { keep })));
    await node.publish(draft('x', '', { kind: 'end', keep }), draft('x', '', { kind: 'begin', keep }));
    rows.age(20_000);
    await node.publish(draft('x', 'new', { keep }));
    expect(rows.count('1')).toBe(2);
    expect(data(await node.broker.read('x', 0, END))).toEqual(['', 'new']);
  });
});

it('a switch to or from compaction trims earlier entries', async () => {
  const file = new DatabaseFile();
  const node = await file.broker();
  const compact = { key: 'a', keep: { ...keep, compact: true } };
  await node.publish(draft('x', '1', { key: 'a', keep }), draft('x', '2', { key: 'b', keep }));
  await node.publish(draft('x', '3', compact));
  expect(await node.broker.read('x', 0, END)).toMatchObject({ trimmedUpTo: 2, last: 3 });
  expect(data(await node.broker.read('x', 0, END))).toEqual(['3']);
  await node.publish(draft('x', '4', { key: 'a', keep }), draft('x', '5', { key: 'a', keep }));
  expect(await node.broker.read('x', 0, END)).toMatchObject({ trimmedUpTo: 3, last: 5 });
  expect(data(await node.broker.read('x', 0, END))).toEqual(['4', '5']);
});

describe('maxBytes', () => {
  it('evicts the history of the channel that was published to least recently', async () => {
    const file = new DatabaseFile();
    const node = await file.broker({ file: file.path, maxBytes: 512 * 1024 });
    const fill = (channel: string) =>
      node.publish(...repeat(40, index => draft(channel, `${index}`.padEnd(5_000), { keep })));
    for (const channel of ['a', 'b', 'a']) await fill(channel);
    const state = await node.broker.read('b', 0, END);
    expect(state.trimmedUpTo).toBeGreaterThan(0);
    expect((await node.broker.read('a', 0, END)).entries).toHaveLength(80);
    await fill('c');
    expect((await node.broker.read('b', 0, END)).entries).toHaveLength(0);
    const [a, c] = [await node.broker.read('a', 0, END), await node.broker.read('c', 0, END)];
    expect(c).toMatchObject({ trimmedUpTo: 0 });
    expect(c.entries).toHaveLength(40);
    expect(a.entries.length).toBeGreaterThan(40);
    expect(a.trimmedUpTo).toBe((a.entries[0]?.position ?? 0) - 1);
  });

  it('bounds the file', async () => {
    const file = new DatabaseFile();
    const node = await file.broker({ file: file.path, maxBytes: 1024 * 1024 });
    await node.broker.open(new Map([['x', 0]]));
    for (let round = 0; round < 40; round++) {
      await node.publish(
        ...repeat(50, index => draft(index % 2 ? 'x' : `y${round}`, 'x'.repeat(5_000), { keep })),
      );
    }
    // Ten times the bound was published.
    inspect(file).exec('PRAGMA wal_checkpoint(PASSIVE)');
    expect(statSync(file.path).size).toBeLessThan(2 * 1024 * 1024);
    expect(node.sink.list).toHaveLength(1_000);
    expect(node.sink.lostChannels).toEqual([]);
  });

  it('never evicts the end of a channel', async () => {
    const file = new DatabaseFile();
    const node = await file.broker({ file: file.path, maxBytes: 64 * 1024 });
    await node.publish(draft('x', '1', { keep }), draft('x', '', { kind: 'end', keep }));
    for (let round = 0; round < 10; round++) await node.publish(draft('y', 'y'.repeat(50_000), { keep }));
    const page = await node.broker.read('x', 0, END);
    expect(page).toMatchObject({ trimmedUpTo: 1, endedAt: 2 });
    expect(page.entries.map(({ kind }) => kind)).toEqual(['end']);
  });
});

it('an expired channel is deleted with its end', async () => {
  const file = new DatabaseFile();
  const node = await file.broker();
  await node.publish(...repeat(600, index => draft('x', `${index}`, { keep })));
  await node.publish(draft('x', '', { kind: 'end', keep }));
  inspect(file).exec('UPDATE tidings_channels SET due = 1');
  for (let count = 0; count < 2; count++) {
    await node.publish(draft('y', ''));
    // A large one takes several steps. Until the last it is known as a whole.
    expect(await node.broker.state('x')).toEqual({ state: 'ended', last: 601 });
  }
  await node.publish(draft('y', ''));
  expect(await node.broker.state('x')).toEqual({ state: 'unknown', last: 0 });
  expect(await node.broker.read('x', 0, END)).toEqual({ entries: [], trimmedUpTo: 601, more: false });
  expect(await node.publish(draft('x', 'again'))).toEqual([605]);
  expect(await node.broker.read('x', 0, END)).toMatchObject({ trimmedUpTo: 601, last: 605 });
});

describe('sqliteBroker', () => {
  it.each([
    ['no file', {}, /either `file` or `database`/],
    ['an empty path', { file: '' }, /file/],
    ['a database in memory', { file: ':memory:' }, /on disk/],
    ['a URL', { file: 'file:x.db' }, /on disk/],
    ['anything that is no database', { database: {} }, /database/],
    ['another synchronous', { file: 'x', synchronous: 'off' }, /synchronous/],
    ['a bound of a few bytes', { file: 'x', maxBytes: 100 }, /maxBytes/],
  ])('refuses %s', (_, options, message) => {
    expect(() => sqliteBroker(options as { file: string })).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringMatching(message) }),
    );
  });

  it('yields to the event loop between two batches', async () => {
    const node = await new DatabaseFile().broker();
    const order: string[] = [];
    setImmediate(() => order.push('turn'));
    await node.publish(draft('x', '1'));
    await node.publish(draft('x', '2'));
    order.push('second batch');
    expect(order).toEqual(['turn', 'second batch']);
  });

  it('belongs to one hub', async () => {
    const node = await new DatabaseFile().broker();
    await expect(node.broker.start(node.sink)).rejects.toMatchObject({ code: 'broker' });
  });
});
