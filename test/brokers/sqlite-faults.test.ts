import { statSync, writeFileSync } from 'node:fs';
import type { SqliteDatabase } from '@tidings/sqlite';
import { describe, expect, it } from 'vitest';
import { draft } from './recorder.ts';
import { DatabaseFile, driver } from './sqlite-setup.ts';

const data = (list: readonly { data: string }[]) => list.map(entry => entry.data);

/** A database whose connections the test can reach: the broker opens one of this class. */
function instrumented(file: string, setUp = '') {
  const opened: SqliteDatabase[] = [];
  const inner = driver.open(file);
  class Instrumented {
    constructor(path: string) {
      const database = driver.open(path);
      if (setUp !== '') database.exec(setUp);
      opened.push(database);
      // biome-ignore lint/correctness/noConstructorReturn: the broker makes its connection by `new`
      return database as unknown as Instrumented;
    }
  }
  const database = {
    constructor: Instrumented,
    prepare: (sql: string) => inner.prepare(sql),
    exec: (sql: string) => inner.exec(sql),
    close: () => inner.close(),
  } satisfies SqliteDatabase & { constructor: unknown };
  return { database: database as SqliteDatabase, opened };
}

describe('a start', () => {
  it('does not change earlier entries', async () => {
    const file = new DatabaseFile();
    const first = await file.broker();
    const [one, two] = (await first.publish(draft('x', '1'), draft('x', '2'))) as [number, number];
    await first.broker.close();
    const second = await file.broker();
    expect(second.epoch).toBe(first.epoch);
    expect(second.head).toBeGreaterThan(two);
    expect(second.sink.breaks).toEqual([[two, second.head]]);
    const { pages } = await second.broker.open(new Map([['x', one]]));
    expect(pages.get('x')).toMatchObject({ trimmedUpTo: one, last: two });
    expect(data(pages.get('x')?.entries ?? [])).toEqual(['2']);
    const third = await file.broker();
    expect(third.sink.breaks).toEqual([
      [two, second.head],
      [second.head, third.head],
    ]);
    expect(await second.publish(draft('x', '3'))).toEqual([third.head + 1]);
  });

  it('invalidates lost positions, as after a power failure, and never assigns them again', async () => {
    const file = new DatabaseFile();
    const first = await file.broker();
    const [one] = await first.publish(draft('x', '1'));
    await file.backUp(first);
    const second = await file.broker();
    const lost = await second.publish(draft('x', 'lost'), draft('x', 'lost, too'));
    await second.broker.close();
    file.restore();
    const third = await file.broker();
    expect(third.epoch).toBe(first.epoch);
    const [[after, before]] = third.sink.breaks as [[number, number]];
    expect(after).toBe(one);
    for (const position of lost) {
      expect(position).toBeGreaterThan(after);
      expect(position).toBeLessThan(before);
    }
    const [next] = await third.publish(draft('x', '2'));
    expect(next).toBeGreaterThanOrEqual(before);
    expect(data((await third.broker.read('x', 0, Number.MAX_SAFE_INTEGER)).entries)).toEqual(['1', '2']);
  });

  it('advances the position even if the clock is behind it', async () => {
    const file = new DatabaseFile();
    const first = await file.broker();
    await first.publish(draft('x', '1'));
    const future = (Date.now() + 86_400_000) * 1_000;
    file.open().exec(`UPDATE tidings_hub SET head = ${future}`);
    const second = await file.broker();
    expect(second.head).toBe(future + 2 ** 32);
  });

  it('of many processes at once creates one log', async () => {
    const file = new DatabaseFile();
    const nodes = await Promise.all(Array.from({ length: 8 }, () => file.broker()));
    expect(new Set(nodes.map(({ epoch }) => epoch)).size).toBe(1);
  });

  it.each([
    ['a newer', '99', 'update @tidings/sqlite'],
    ['an older', '0', 'stop the processes'],
  ])('refuses tables of %s version, with instructions', async (which, version, what) => {
    const file = new DatabaseFile();
    const running = await file.broker();
    file.open().exec(`UPDATE tidings_hub SET version = ${version}`);
    const message = expect.stringMatching(new RegExp(`written by ${which} version.*${what}`));
    await expect(file.broker()).rejects.toMatchObject({ code: 'broker', message });
    await expect(running.broker.head()).rejects.toMatchObject({ code: 'broker', message });
    await expect(running.publish(draft('x', ''))).rejects.toMatchObject({ code: 'not-stored', message });
  });

  it('does not change the tables of an application', async () => {
    const file = new DatabaseFile();
    const own = file.open();
    own.exec("CREATE TABLE hub (name TEXT); INSERT INTO hub VALUES ('mine')");
    const node = await file.broker({ database: own });
    await node.publish(draft('x', '1'));
    expect(own.prepare('SELECT name FROM hub').all()).toMatchObject([{ name: 'mine' }]);
  });

  it('rejects a file that is not a database, with the cause', async () => {
    const file = new DatabaseFile();
    writeFileSync(file.path, 'x'.repeat(8_192));
    const message = expect.stringMatching(/not a database/);
    await expect(file.broker()).rejects.toMatchObject({ code: 'broker', message, cause: { message } });
  });
});

describe('a file that cannot be written', () => {
  it('because the disk is full rejects a publish, and serves the stored entries', async () => {
    const file = new DatabaseFile();
    const { database, opened } = instrumented(file.path, 'PRAGMA max_page_count = 200');
    const node = await file.broker({ database });
    await node.broker.open(new Map([['x', 0]]));
    const large = 'x'.repeat(50_000);
    let accepted = 0;
    const fill = async () => {
      for (;;) {
        await node.publish(draft('x', large));
        accepted += 1;
      }
    };
    await expect(fill()).rejects.toMatchObject({
      code: 'not-stored',
      message: expect.stringMatching(/full/),
      cause: { message: expect.stringMatching(/full/) },
    });
    expect(accepted).toBeGreaterThan(5);
    expect(node.sink.list).toHaveLength(accepted);
    const { entries } = await node.broker.read('x', 0, Number.MAX_SAFE_INTEGER);
    expect(entries).toHaveLength(accepted);
    expect(node.sink.connections).toEqual([[true, undefined]]);
    opened.at(-1)?.exec('PRAGMA max_page_count = 100000');
    await node.publish(draft('x', 'again'));
    expect(node.sink.list).toHaveLength(accepted + 1);
  });

  it('because it is read-only rejects a publish, and serves the stored entries', async () => {
    const file = new DatabaseFile();
    const { database, opened } = instrumented(file.path);
    const node = await file.broker({ database });
    await node.publish(draft('x', '1'));
    opened.at(-1)?.exec('PRAGMA query_only = ON');
    await expect(node.publish(draft('x', '2'))).rejects.toMatchObject({
      code: 'not-stored',
      message: expect.stringMatching(/readonly/),
    });
    expect(data((await node.broker.read('x', 0, Number.MAX_SAFE_INTEGER)).entries)).toEqual(['1']);
    expect(node.sink.connections).toEqual([[true, undefined]]);
  });

  it('because it is locked rejects a publish at its deadline, and stores an earlier one', async () => {
    const file = new DatabaseFile();
    const node = await file.broker();
    const other = file.open();
    await node.publish(draft('x', '1'));
    other.exec('BEGIN IMMEDIATE');
    await expect(node.broker.publish([draft('x', '2')], AbortSignal.timeout(100))).rejects.toMatchObject({
      code: 'not-stored',
      message: expect.stringMatching(/locked/),
    });
    expect(await node.broker.state('x')).toMatchObject({ state: 'open' });
    const waiting = node.publish(draft('x', '3'));
    await new Promise(resolve => setTimeout(resolve, 50));
    other.exec('COMMIT');
    await waiting;
    expect(data((await node.broker.read('x', 0, Number.MAX_SAFE_INTEGER)).entries)).toEqual(['1', '3']);
  });
});

it('reports a damaged page, and continues when the file is replaced', async () => {
  const file = new DatabaseFile();
  const first = await file.broker();
  const large = { keep: { events: 1_000, bytes: 1e8, age: 1e8, compact: false } };
  for (let count = 0; count < 20; count++) await first.publish(draft('x', 'x'.repeat(20_000), large));
  await file.backUp(first);
  const node = await file.broker();
  await node.broker.open(new Map([['y', 0]]));
  const other = file.open();
  other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
  other.close();
  const { size } = statSync(file.path);
  writeFileSync(file.path, Buffer.alloc(size - 8_192, 0xaa), { flag: 'r+' });
  // Not its first page alone: SQLite has that in memory.
  const damaged = expect.stringMatching(/malformed|not a database|corrupt/);
  await expect(node.broker.read('x', 0, Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({
    code: 'broker',
    message: damaged,
  });
  expect(node.sink.connections.at(-1)).toMatchObject([false, { message: damaged }]);
  await expect(node.publish(draft('x', '2'))).rejects.toMatchObject({ code: 'not-stored', message: damaged });
  file.restore();
  await node.sink.until(() => node.sink.connections.at(-1)?.[0] === true);
  expect(node.sink.epochs).toHaveLength(1);
  const { pages } = await node.broker.open(new Map([['x', 0]]));
  expect(pages.get('x')?.entries).toHaveLength(20);
});
