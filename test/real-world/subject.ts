import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe } from 'vitest';
import { describeWith } from '../support/system.ts';

const require = createRequire(import.meta.url);

/**
 * What Tidings is held against: a row of docs/compatibility.md. Its tests' names say what was checked; what a user
 * has to know is an annotation of the kind `note`.
 */
export interface Subject {
  name: string;
  /** A program of the machine: where it is missing, the tests are skipped, and with `CI` set they fail. */
  program?: string;
  /** A file that the program needs, such as a library: the same holds for it. */
  needs?: string;
  /** How the program is asked for its version. Default: `--version`. */
  versionArgs?: string[];
  /** A package whose version is meant, and not the program's. */
  package?: string;
}

export function describeSubject(subject: Subject, tests: () => void): void {
  const { name, program, needs = program } = subject;
  const version = versionOf(subject);
  const title = version === undefined ? name : `${name} ${version}`;
  if (needs === undefined) describe(title, tests);
  else describeWith(needs, title, tests);
}

function versionOf({
  program,
  versionArgs = ['--version'],
  package: packageName,
}: Subject): string | undefined {
  if (packageName !== undefined) return packageVersion(packageName);
  if (program === undefined) return undefined;
  try {
    // Some programs answer on stderr.
    const answer = execFileSync('/bin/sh', ['-c', '"$0" "$@" 2>&1', program, ...versionArgs], {
      encoding: 'utf8',
    });
    return /\d+(\.\d+)+/.exec(answer)?.[0];
  } catch {
    return undefined;
  }
}

function packageVersion(name: string): string {
  // `exports` may hide package.json from `require`.
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return JSON.parse(readFileSync(`${folder}/${name}/package.json`, 'utf8')).version;
    } catch {}
  }
  throw new Error(`${name} is not installed`);
}
