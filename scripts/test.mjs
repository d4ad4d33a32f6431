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
  const projects = (names, options) => {
    const report = ['--reporter=default', '--reporter=blob', `--outputFile.blob=${reports}/${names[0]}.json`];
    return vitest([...report, ...names.map(name => `--project=${name}`)], options);
  };
  const browsing = ['browsers', 'real-world'];
  const measured = ['bounds'];
  const others = [...browsing, ...measured].map(name => `!${name}`);
  try {
    // The first mostly wait: for pages, proxies and networks. The others take what they leave of the cores.
    const codes = await Promise.all([
      projects(browsing),
      projects(others, { niceness: constants.priority.PRIORITY_LOW }),
    ]);
    codes.push(await projects(measured));
    codes.push(await vitest([`--merge-reports=${reports}`, ...args]));
    return Math.max(...codes);
  } finally {
    rmSync(reports, { recursive: true });
  }
}
