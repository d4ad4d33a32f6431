// Installs, and serves the dashboard: in this process, so that Ctrl-C reaches the server itself.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const setup = fileURLToPath(new URL('setup.mjs', import.meta.url));
execFileSync(process.execPath, [setup, '--for', 'express-dashboard'], { stdio: 'inherit' });

const example = new URL('../examples/express-dashboard/', import.meta.url);
// Not before: it comes with the installation.
const { register } = await import('tsx/esm/api');
register();
await import(new URL('server.ts', example).href);
