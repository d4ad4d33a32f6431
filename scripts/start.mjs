// Installs and serves the dashboard. It runs in this process, so that Ctrl-C reaches the server.
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { run } from './run.mjs';

if (process.argv.length > 2) {
  console.error('npm start takes no arguments. For another port: PORT=4000 npm start');
  process.exit(1);
}

const setup = fileURLToPath(new URL('setup.mjs', import.meta.url));
const status = await run(process.execPath, [setup, '--for', 'express-dashboard']);
// What has failed has been printed.
if (status !== 0) process.exit(status);

const example = new URL('../examples/express-dashboard/', import.meta.url);
// The example's tsx: the root's is not installed here. `require` resolves to its CommonJS build, whose `register` does
// not find its hooks; the ESM build is beside it.
const tsx = createRequire(example)
  .resolve('tsx/esm/api')
  .replace(/\.cjs$/, '.mjs');
const { register } = await import(pathToFileURL(tsx).href);
register();
await import(new URL('server.ts', example).href);
