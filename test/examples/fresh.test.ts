import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { request } from '../support/client.ts';
import { startByNpm } from '../support/example.ts';
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
  const npm = await startByNpm(clone, port);
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

test('npm start with the name of an example installs and serves it', async () => {
  const port = await freePort();
  await startByNpm(clone, port, {}, 'start express-prices');
  const page = await request(`http://127.0.0.1:${port}`, '/');
  await page.ended;
  expect(page.text).toContain('Prices');
});

test('npm start -- --list describes each example', () => {
  const { stdout } = spawnSync('npm', ['start', '--', '--list'], { cwd: root, encoding: 'utf8' });
  const examples = readdirSync(join(root, 'examples'));
  expect(examples.filter(name => !stdout.includes(`\n${name} `))).toEqual([]);
});

test('npm start with an unknown name lists the examples', () => {
  const { status, stderr } = spawnSync('npm', ['start', 'prices'], { cwd: root, encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain('express-prices');
});

test('SIGTERM while packages are installed ends the installation', async () => {
  // In a process group of its own: what it leaves behind can be found.
  const setup = spawn(process.execPath, ['scripts/setup.mjs'], { cwd: clone, detached: true });
  const exit = once(setup, 'exit');
  const { pid } = setup;
  if (pid === undefined) throw new Error('not started');
  // The first line is of setup itself, the second of pnpm.
  const lines = createInterface({ input: setup.stdout });
  await once(lines, 'line');
  await once(lines, 'line');
  setup.kill('SIGTERM');
  await exit;
  expect(setup.exitCode).not.toBe(0);
  await expect.poll(() => isRunning(-pid)).toBe(false);
  expect(existsSync(join(clone, 'node_modules/.bin/tsc'))).toBe(false);
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('the lock file names no host', () => {
  expect(readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8')).not.toMatch(/https?:\/\/|tarball/);
});
