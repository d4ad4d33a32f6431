import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './snippets.ts';

/** Set by vitest.config.ts: each run has a folder of its own, because several may run in one clone. */
export const PACKED = process.env.TIDINGS_PACKED as string;

/** CommonJS code with one `const … = require(…);` per line, as an ES module. */
export const asModule = (code: string) =>
  code.replaceAll(/const (.*) = require\((.*)\);/g, 'import $1 from $2;');

/** What npm would publish, by the names of the packages. */
export function tarballs(): Map<string, string> {
  return new Map(
    readdirSync(PACKED).flatMap(file => {
      const [, name] = /^tidings-(\w+)-\d.*\.tgz$/.exec(file) ?? [];
      return name === undefined ? [] : [[`@tidings/${name}`, join(PACKED, file)]];
    }),
  );
}

/**
 * A program that has functions of packed packages, in a new folder: as `esm.mjs`, and as `commonjs.cjs`.
 *
 * @param names function → the package that exports it.
 * @returns the folder. Remove it.
 */
export function writePackedPrograms(names: Readonly<Record<string, string>>, program: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-packed-'));
  const packages = tarballs();
  const list = Object.entries(names);
  for (const [, name] of list) unpack(name, packages.get(name) as string, join(folder, 'node_modules'));
  const esm = list.map(([name, from]) => `import { ${name} } from '${from}';\n`);
  const commonjs = list.map(([name, from]) => `const { ${name} } = require('${from}');\n`);
  writeFileSync(join(folder, 'esm.mjs'), esm.join('') + program);
  writeFileSync(join(folder, 'commonjs.cjs'), commonjs.join('') + program);
  return folder;
}

/** Unpacks a package into a `node_modules`, as an installation would. */
export function unpack(name: string, tarball: string, modules: string): void {
  const folder = join(modules, name);
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1']);
}

const shared = globalThis as { areTidingsPacked?: boolean };

/** A global setup of Vitest: builds, packs and unpacks every package, once for all projects that ask for it. */
export default function pack(): (() => void) | undefined {
  // Each project has a copy of this module.
  if (shared.areTidingsPacked) return undefined;
  shared.areTidingsPacked = true;
  removeAbandoned();
  mkdirSync(PACKED);
  whileLocked(join(root, 'test/.packed-lock'), () => {
    // Declarations take most of a build, and nothing here reads them; `npm run check-packages` does.
    run('run', 'build', '--no-dts');
    run('exec', 'pnpm', 'pack', '--pack-destination', PACKED);
  });
  for (const [name, tarball] of tarballs()) unpack(name, tarball, join(PACKED, 'node_modules'));
  return () => rmSync(PACKED, { recursive: true, force: true });
}

function run(...args: string[]): void {
  execFileSync('npx', ['pnpm', '--filter', './packages/*', ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Removes the folders of runs that were killed. Their names end with the id of the process. */
function removeAbandoned(): void {
  for (const name of readdirSync(join(root, 'test'))) {
    const [, id] = /^\.packed-(\d+)$/.exec(name) ?? [];
    if (id !== undefined && !isRunning(Number(id))) rmSync(join(root, 'test', name), { recursive: true });
  }
}

/** Calls the function while no other process does: all builds write to the same `dist` folders. */
function whileLocked(lock: string, call: () => void): void {
  while (!tryLock(lock)) {
    if (!isRunning(Number(readIfPresent(lock)))) rmSync(lock, { force: true });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  try {
    call();
  } finally {
    rmSync(lock);
  }
}

function tryLock(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
    return false;
  }
}

/** The other process may have removed it meanwhile. */
function readIfPresent(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** 0, as of a lock that has no content yet, is running: it stands for this process. */
function isRunning(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}
