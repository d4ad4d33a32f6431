// Runs the contract, and SQLite's own tests, on other releases of Node. Arguments go to Vitest in place of the files.
import { run } from './run.mjs';

const args = process.argv.slice(2);
const files = args.length > 0 ? args : ['test/contract', 'test/brokers/sqlite'];
for (const release of [22, 24, 26]) {
  console.log(`Node ${release}:`);
  await run(`test/real-world/servers/node_modules/node${release}/bin/node`, [
    'node_modules/vitest/vitest.mjs',
    ...['run', '--project', 'unit', '--maxWorkers', '3', ...files],
  ]);
}
