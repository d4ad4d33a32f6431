// Runs all tests, and reports them together. Options of a report go to Vitest: --reporter, --outputFile. With other
// arguments, such as a file, Vitest runs alone.
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitCode } from './run.mjs';

const args = process.argv.slice(2);
const vitest = (args, options) =>
  exitCode('node', ['node_modules/vitest/vitest.mjs', 'run', ...args], options);

process.exitCode = args.every(arg => /^--(reporter|outputFile)/.test(arg)) ? await all() : await vitest(args);

/** Returns the exit code. */
async function all() {
  const reports = mkdtempSync(join(tmpdir(), 'tidings-reports-'));
  /** The groups of vitest.config.ts. */
  const group = (number, niceness) => {
    const report = ['--reporter=default', '--reporter=blob', `--outputFile.blob=${reports}/${number}.json`];
    return vitest(report, { env: { ...process.env, TIDINGS_TEST_GROUP: number }, niceness });
  };
  try {
    // The files of group 1 wait for pages, proxies and networks. The others take what they leave of the cores.
    const codes = await Promise.all([group(0, constants.priority.PRIORITY_LOW), group(1)]);
    codes.push(await group(2));
    codes.push(await vitest([`--merge-reports=${reports}`, ...args]));
    return Math.max(...codes);
  } finally {
    rmSync(reports, { recursive: true });
  }
}
