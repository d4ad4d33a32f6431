import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { ChangeWatcher } from '../src/change-watcher.ts';

const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'tidings-sqlite-'));
  ending.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
};
const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0).reverse()) end();
});

/** Resolves with a watcher when it has looked so many times. */
function watch(file: string, count: number): Promise<ChangeWatcher> {
  return new Promise(resolve => {
    let looks = 0;
    const watcher = new ChangeWatcher(file, () => {
      looks += 1;
      if (looks === count) resolve(watcher);
      return false;
    });
    ending.push(() => watcher.close());
  });
}

it('polls even if no change is reported', async () => {
  await watch(join(folder(), 'hub.db'), 4);
});

it('polls where the folder cannot be watched', async () => {
  await watch(join(folder(), 'missing', 'hub.db'), 4);
});

it('checks when a file next to it is written', async () => {
  const path = folder();
  let looks = 0;
  const watcher = new ChangeWatcher(join(path, 'hub.db'), () => {
    looks += 1;
    return false;
  });
  ending.push(() => watcher.close());
  // By then it looks four times a second by itself.
  while (looks < 6) await pause(10);
  const before = looks;
  for (let count = 0; count < 20; count++) {
    writeFileSync(join(path, 'hub.db-wal'), `${count}`);
    await pause(1);
  }
  expect(looks).toBeGreaterThan(before + 4);
});
