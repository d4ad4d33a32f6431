// Installs and serves the dashboard. It runs in this process, so that Ctrl-C reaches the server.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const setup = fileURLToPath(new URL('setup.mjs', import.meta.url));
execFileSync(process.execPath, [setup, '--for', 'express-dashboard'], { stdio: 'inherit' });

const example = new URL('../examples/express-dashboard/', import.meta.url);
// The example's tsx: the root's is not installed here. `require` resolves to its CommonJS build, whose `register` does
// not find its hooks; the ESM build is beside it.
const tsx = createRequire(example)
  .resolve('tsx/esm/api')
  .replace(/\.cjs$/, '.mjs');
const { register } = await import(pathToFileURL(tsx).href);
register();
await import(new URL('server.ts', example).href);
