// Installs and serves an example, by default the dashboard. It runs in this process, so that Ctrl-C reaches the server.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { run } from './run.mjs';

const examples = new URL('../examples/', import.meta.url);
/** The programs that an example needs besides Node.js. */
const services = { 'multi-node': 'redis-server and nginx' };

const [name = 'express-dashboard', ...rest] = process.argv.slice(2);
const names = readdirSync(examples, { withFileTypes: true }).flatMap(entry =>
  entry.isDirectory() ? [entry.name] : [],
);
if (name === '--list') {
  for (const each of names) {
    const needs = services[each] ? ` Needs ${services[each]}.` : '';
    console.log(`${each.padEnd(18)} ${readPackage(each).description}${needs}`);
  }
} else if (rest.length > 0 || !names.includes(name)) {
  console.error(`npm start takes the name of one example: ${names.join(', ')}.`);
  console.error('npm start -- --list describes them. For another port: PORT=4000 npm start');
  process.exit(1);
} else {
  await serve(name);
  // After the URL, which the example prints as soon as it listens.
  const next = names[(names.indexOf(name) + 1) % names.length];
  setImmediate(() => console.log(`Next: npm start ${next}. All examples: npm start -- --list`));
}

async function serve(example) {
  const { scripts, dependencies } = readPackage(example);
  // Packages resolve to TypeScript in the repository, so that an example in JavaScript needs the dashboard's tsx.
  const withTsx = 'tsx' in dependencies ? example : 'express-dashboard';
  const setup = fileURLToPath(new URL('setup.mjs', import.meta.url));
  await run(process.execPath, [setup, ...[...new Set([example, withTsx])].flatMap(each => ['--for', each])]);
  const require = createRequire(new URL(`${withTsx}/`, examples));
  require('tsx/cjs/api').register();
  // `require` resolves to tsx's CommonJS build, whose `register` does not find its hooks; the ESM build is beside it.
  const esm = require.resolve('tsx/esm/api').replace(/\.cjs$/, '.mjs');
  (await import(pathToFileURL(esm).href)).register();
  // Its last word is a file: "exec node --import tsx server.ts".
  const file = scripts.start.split(' ').at(-1);
  const folder = new URL(`${example}/`, examples);
  process.chdir(fileURLToPath(folder));
  await import(new URL(file, folder).href);
}

function readPackage(example) {
  return JSON.parse(readFileSync(new URL(`${example}/package.json`, examples), 'utf8'));
}
