// Everything on this machine, without Docker: Redis, two nodes, and nginx in front of them.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const port = Number(process.env.PORT ?? 3000);
/** Ms after which what has died is started again. */
const RESTART = 5_000;

// Where Debian has nginx, and an ordinary user does not look.
process.env.PATH += ':/usr/sbin:/usr/local/sbin';
const needed = process.env.REDIS_URL ? ['nginx'] : ['nginx', 'redis-server'];
const missing = needed.filter(program => spawnSync(program, ['-v']).error);
if (missing.length > 0) {
  const packages = missing.join(' ').replace('nginx', 'nginx-light');
  giveUp(`Missing: ${missing.join(', ')}. On Debian and Ubuntu: apt-get install ${packages}.
On macOS: brew install ${missing.join(' ').replace('-server', '')}. With Docker instead: run docker compose up in examples/multi-node.`);
}
await findPort(port).catch(error =>
  giveUp(`Cannot listen on port ${port} (${error.code}). Choose another: PORT=${port + 1} npm start`),
);
const [one, two, redis] = await Promise.all([findPort(), findPort(), findPort()]);

const folder = mkdtempSync(join(tmpdir(), 'multi-node-'));
// nginx's workers are somebody else when root starts it.
chmodSync(folder, 0o711);
const children = new Set<ChildProcess>();
let state: 'starting' | 'running' | 'stopping' = 'starting';
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
// All of them end here, and nowhere else: nginx and Redis have to outlive the nodes.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(0));

if (!process.env.REDIS_URL) {
  const files = ['--dir', folder, '--appendonly', 'yes', '--save', ''];
  start('redis-server', ['--bind', '127.0.0.1', '--port', `${redis}`, '--loglevel', 'warning', ...files]);
  await listens(redis);
}
const node = ['--import', 'tsx', fileURLToPath(new URL('server.ts', import.meta.url))];
const shared = { HOST: '127.0.0.1', REDIS_URL: process.env.REDIS_URL || `redis://127.0.0.1:${redis}` };
start(process.execPath, node, { ...shared, NODE_NAME: 'node-1', PORT: `${one}` });
start(process.execPath, node, { ...shared, NODE_NAME: 'node-2', PORT: `${two}` });
// nginx starts last: it does not use a node for 3 s after it has found it dead.
await Promise.all([listens(one), listens(two)]);
start('nginx', ['-p', folder, '-e', 'stderr', '-c', configureNginx()]);
await listens(port);
state = 'running';
console.log(`Multi-node: http://127.0.0.1:${port}`);

/** In a process group of its own: Ctrl-C in a terminal is a signal for all of a group. */
function start(program: string, args: string[], env: NodeJS.ProcessEnv = {}): void {
  const title = env.NODE_NAME ?? program;
  const stdout = program === 'redis-server' ? 'ignore' : 'inherit';
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', stdout, 'inherit'],
    env: { ...process.env, ...env },
  });
  children.add(child);
  child.on('exit', (code, signal) => {
    children.delete(child);
    if (state === 'stopping') return;
    console.log(`${title} has ended: ${signal ?? code}`);
    if (state === 'starting') stop(1);
    else setTimeout(() => state === 'running' && start(program, args, env), RESTART);
  });
}

async function stop(status: number) {
  if (state === 'stopping') return;
  state = 'stopping';
  // What hangs is killed.
  setTimeout(() => process.exit(1), 10_000);
  const isNode = ({ spawnfile }: ChildProcess) => spawnfile === process.execPath;
  await end([...children].filter(isNode));
  await end([...children]);
  process.exit(status);
}

async function end(some: ChildProcess[]) {
  await Promise.all(some.map(child => child.kill() && once(child, 'exit')));
}

/** nginx wants a folder for everything it may ever write. */
function configureNginx(): string {
  const values = { LISTEN: `127.0.0.1:${port}`, NODE_1: `127.0.0.1:${one}`, NODE_2: `127.0.0.1:${two}` };
  const template = readFileSync(new URL('nginx.conf.template', import.meta.url), 'utf8');
  const site = Object.entries(values).reduce(
    (text, [key, value]) => text.replaceAll(`\${${key}}`, value),
    template,
  );
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    kind => `${kind}_temp_path ${kind};`,
  );
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; pid nginx.pid; error_log stderr crit; events {} http { access_log off; ${folders.join(' ')}\n${site} }`,
  );
  return file;
}

/** A free port, or the one that is asked for, if it is free. */
async function findPort(wanted = 0): Promise<number> {
  const server = net.createServer().listen(wanted, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves as soon as somebody listens on a port. */
async function listens(port: number): Promise<void> {
  for (; ; await delay(50)) {
    const socket = net.connect(port, '127.0.0.1');
    const isThere = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isThere) return;
  }
}

function giveUp(message: string): never {
  console.error(message);
  process.exit(1);
}
