import { rmSync, truncateSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { draft } from './recorder.ts';
import { DatabaseFile, soon } from './sqlite-setup.ts';

const TABLES = ['tidings_hub', 'tidings_breaks', 'tidings_channels', 'tidings_entries'];
const data = (entries: readonly { data: string }[]) => entries.map(entry => entry.data);

describe('a file that is replaced', () => {
  async function running() {
    const file = new DatabaseFile();
    const first = await file.broker();
    await first.publish(draft('x', '1'));
    await file.backUp(first);
    const [a, b] = [await file.broker(), await file.broker()];
    for (const node of [a, b]) await node.broker.open(new Map([['x', 0]]));
    await a.publish(draft('x', '2'), draft('x', '3'));
    await b.sink.until(() => b.sink.list.length === 2);
    return { file, a, b };
  }

  it.each<[string, (file: DatabaseFile) => void]>([
    ['by a backup', file => file.restore()],
    ['by nothing', file => file.remove()],
    ['by an empty one', file => truncateSync(file.path)],
    ['without its write-ahead log', file => rmSync(`${file.path}-wal`)],
    ['without its shared memory', file => rmSync(`${file.path}-shm`)],
    ['without the tables', file => file.open().exec(TABLES.map(name => `DROP TABLE ${name};`).join(''))],
    ['without the row of the hub', file => file.open().exec('DELETE FROM tidings_hub')],
  ])('%s begins a new epoch, the same in every process', async (_, replace) => {
    const { file, a, b } = await running();
    replace(file);
    for (const { sink } of [a, b]) await sink.until(() => sink.epochs.length > 0);
    expect(a.sink.epochs).toEqual(b.sink.epochs);
    expect(a.sink.epochs).not.toContain(a.epoch);
    expect(a.sink.epochs).toHaveLength(1);
    await b.broker.open(new Map([['x', 0]]));
    const { epoch } = await a.broker.publish([draft('x', '4')], soon());
    expect(epoch).toBe(a.sink.epochs[0]);
    await b.sink.until(() => b.sink.data('x').includes('4'));
  });

  it('is detected by a publish, before anything is stored', async () => {
    const { file, a } = await running();
    file.restore();
    const { epoch, results } = await a.broker.publish([draft('x', '4')], soon());
    expect(a.sink.epochs).toEqual([epoch]);
    expect(epoch).not.toBe(a.epoch);
    const page = await a.broker.read('x', 0, results[0] as number);
    expect(data(page.entries)).toEqual(['1', '4']);
  });

  it('is detected by a publish if a table is missing', async () => {
    const { file, a, b } = await running();
    file.open().exec('DROP TABLE tidings_channels');
    const { epoch, results } = await a.broker.publish([draft('x', '4')], soon());
    expect([epoch, results]).toEqual([expect.not.stringMatching(a.epoch), [1]]);
    await b.sink.until(() => b.sink.epochs.length > 0);
    expect(b.sink.epochs).toEqual([epoch]);
  });

  it('in place by a file with an older head begins a new epoch', async () => {
    const { file, a, b } = await running();
    file.open().exec('UPDATE tidings_hub SET head = head - 1');
    for (const { sink } of [a, b]) await sink.until(() => sink.epochs.length > 0);
    expect(a.sink.epochs).toEqual(b.sink.epochs);
    expect(a.sink.epochs).toHaveLength(1);
  });
});
