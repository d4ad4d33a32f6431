// Runs the model and the chaos tests again and again, each time from a random seed. Arguments go to Vitest in place of
// the files.
import { readdirSync } from 'node:fs';
import { run } from './run.mjs';

const args = process.argv.slice(2);
const chaos = readdirSync(new URL('../test/brokers', import.meta.url)).filter(file =>
  file.endsWith('chaos.test.ts'),
);
const models = ['engine', 'membership'].map(name => `test/model/${name}.test.ts`);
const files = args.length > 0 ? args : [...models, ...chaos.map(file => `test/brokers/${file}`)];
for (let round = 1; round <= 40; round++) {
  const SEED = String(Math.floor(Math.random() * 1e8));
  console.log(`round ${round} of 40, SEED=${SEED}:`);
  await run('node', ['node_modules/vitest/vitest.mjs', 'run', ...files], {
    env: { CHAOS: '10', RUNS: '30000', ...process.env, SEED },
  });
}
