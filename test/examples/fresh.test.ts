import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { request } from '../support/client.ts';
import { start } from '../support/example.ts';
import { freePort } from '../support/server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The tree as a clone has it: nothing is installed. */
let clone: string;

beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), 'tidings-clone-'));
  for (const name of readdirSync(root)) {
    if (name === 'node_modules' || name === '.git') continue;
    cpSync(join(root, name), join(clone, name), {
      recursive: true,
      filter: source => !/^(node_modules|dist|\..*-.*)$/.test(basename(source)),
    });
  }
});
afterAll(() => rmSync(clone, { recursive: true, force: true }));

test('npm start in a fresh clone installs at most 150 packages, and none of the tools', async () => {
  const port = await freePort();
  const npm = await start(clone, port);
  const page = await request(`http://127.0.0.1:${port}`, '/');
  await page.ended;
  expect(page.status).toBe(200);
  const packages = readdirSync(join(clone, 'node_modules/.pnpm')).filter(name => name.includes('@'));
  expect(packages.length).toBeGreaterThan(20);
  expect(packages.length).toBeLessThanOrEqual(150);
  expect(existsSync(join(clone, 'node_modules/.bin'))).toBe(false);
  expect(existsSync(join(clone, 'test/node_modules'))).toBe(false);
  const exit = once(npm, 'exit');
  npm.kill('SIGINT');
  expect(await exit).toEqual([0, null]);
});

test('the lock file names no host', () => {
  expect(readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8')).not.toMatch(/https?:\/\/|tarball/);
});
