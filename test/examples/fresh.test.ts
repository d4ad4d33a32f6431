import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

/** The ids of processes that work in the clone. */
function processes(): string[] {
  return readdirSync('/proc').filter(id => {
    try {
      return /^\d+$/.test(id) && readlinkSync(`/proc/${id}/cwd`) === clone;
    } catch {
      // It has ended.
      return false;
    }
  });
}

describe.skipIf(!existsSync('/proc'))('an installation that is interrupted', () => {
  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('ends with all that it has started: %s', async (signal, code) => {
    const args = ['scripts/setup.mjs', '--for', 'express-dashboard'];
    const setup = spawn(process.execPath, args, { cwd: clone, stdio: 'ignore' });
    await expect.poll(() => processes().length).toBeGreaterThan(1);
    setup.kill(signal);
    expect(await once(setup, 'exit')).toEqual([code, null]);
    await expect.poll(processes).toEqual([]);
  });
});

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
