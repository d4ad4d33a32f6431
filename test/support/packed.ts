import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './snippets.ts';

/** Among the tests, so that the frameworks are found as from any other. */
export const PACKED = join(root, 'test/.packed');

/** What npm would publish, by the names of the packages. */
export function tarballs(): Map<string, string> {
  return new Map(
    readdirSync(PACKED).flatMap(file => {
      const [, name] = /^tidings-(\w+)-\d.*\.tgz$/.exec(file) ?? [];
      return name === undefined ? [] : [[`@tidings/${name}`, join(PACKED, file)]];
    }),
  );
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
  const remove = () => rmSync(PACKED, { recursive: true, force: true });
  const run = (...args: string[]) =>
    execFileSync('npx', ['pnpm', '--filter', './packages/*', ...args], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  remove();
  mkdirSync(PACKED);
  // Declarations take most of a build, and nothing here reads them; `npm run check-packages` does.
  run('run', 'build', '--no-dts');
  run('exec', 'pnpm', 'pack', '--pack-destination', PACKED);
  for (const [name, tarball] of tarballs()) unpack(name, tarball, join(PACKED, 'node_modules'));
  return remove;
}
