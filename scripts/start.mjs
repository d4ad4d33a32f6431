// Installs, and serves the dashboard: in this process, so that Ctrl-C reaches the server itself.
import './setup.mjs';

const example = new URL('../examples/express-dashboard/', import.meta.url);
// Not before: it comes with the installation.
const { register } = await import('tsx/esm/api');
register();
await import(new URL('server.ts', example).href);
