import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { pathOf } from './program.ts';

/** An earlier revision of this repository, built as npm would install it. */
interface PreviousBuild {
  /** The revision and its date. */
  readonly version: string;
  /** The URL of its `packages/`. */
  readonly packages: string;
}

/** What the servers `previous-node` and `previous-express` import, in the order of their dependencies. */
const PACKAGES = ['client', 'core', 'express'];

export let previousBuild: PreviousBuild | undefined;

/**
 * Builds the packages of an earlier revision, if they are not built yet. The tools and the frameworks are those of this
 * tree, so that only the code of Tidings differs.
 *
 * @param revision a commit, tag or branch.
 */
export function buildPrevious(revision: string): void {
  const show = ['show', '--no-patch', '--date=short', '--format=%h %cd', `${revision}^{commit}`];
  const version = git(...show)
    .toString()
    .trim();
  const [commit = ''] = version.split(' ');
  const folder = pathOf(`dist/previous/${commit}/`);
  if (!existsSync(folder)) build(commit, folder);
  previousBuild = { version, packages: pathToFileURL(`${folder}packages/`).href };
}

function build(commit: string, folder: string): void {
  const unfinished = pathOf(`dist/previous/${commit}.unfinished/`);
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const files = git('archive', '--format=tar', commit);
  execFileSync('tar', ['--extract', '--directory', unfinished], { input: files });
  for (const name of PACKAGES) {
    const cwd = `${unfinished}packages/${name}`;
    // Earlier revisions have no client.
    if (existsSync(cwd)) execFileSync('npm', ['run', '--silent', 'build', '--', '--no-dts'], { cwd });
  }
  renameSync(unfinished, folder);
}

function git(...parameters: string[]): Buffer {
  return execFileSync('git', parameters, { cwd: pathOf('..'), maxBuffer: 2 ** 28 });
}
