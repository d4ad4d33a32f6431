import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { build } from 'tsup';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Client, type RequestOptions, request } from '../support/client.ts';
import { freePort } from '../support/server.ts';
import { describeSubject } from './subject.ts';

const FOLDER = fileURLToPath(new URL('servers', import.meta.url));
const MODULES = `${FOLDER}/node_modules`;
const bundles = mkdtempSync(`${FOLDER}/.bundles-`);

interface Runtime {
  name: string;
  program: string;
  /** Those of the folder that run on it. */
  servers: string[];
  departures: string[];
  /** How it is told to serve one: some listen themselves, others export `fetch`. */
  args(server: string, port: number): string[];
}

const SERVERS = ['express', 'koa', 'hono', 'fetch'];
const DEPARTURES = ['with a FIN', 'with a RST'];

const nodes = [
  process.execPath,
  ...['node22', 'node24', 'node26'].map(name => `${MODULES}/${name}/bin/node`),
];

const runtimes: Runtime[] = [
  ...nodes.map(program => ({
    name: 'Node',
    program,
    servers: SERVERS,
    departures: DEPARTURES,
    args: (server: string) =>
      exportsFetch(server) ? [`${FOLDER}/node.mjs`, `${bundles}/${server}.js`] : [`${bundles}/${server}.js`],
  })),
  {
    name: 'Bun',
    program: `${MODULES}/bun/bin/bun.exe`,
    servers: SERVERS,
    departures: DEPARTURES,
    args: server => [`${bundles}/${server}.js`],
  },
  {
    name: 'Deno',
    program: `${MODULES}/deno/deno`,
    servers: SERVERS,
    departures: DEPARTURES,
    args: (server, port) =>
      exportsFetch(server)
        ? ['serve', '--quiet', `--port=${port}`, '--host=127.0.0.1', `${bundles}/${server}.js`]
        : ['run', '--quiet', '-A', `${bundles}/${server}.js`],
  },
  {
    name: 'workerd',
    program: `${MODULES}/workerd/bin/workerd`,
    servers: ['hono', 'fetch'],
    departures: ['with a RST'],
    args(server, port) {
      const config = `${bundles}/${server}.capnp`;
      writeFileSync(config, workerdConfig(server, port));
      return ['serve', config];
    },
  },
];

function exportsFetch(server: string): boolean {
  return server === 'hono' || server === 'fetch';
}

const workerdConfig = (server: string, port: number) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [
    (name = "worker", esModule = embed "../workerd.mjs"),
    (name = "server", esModule = embed "${server}.js"),
  ],
  compatibilityDate = "2026-11-01",
  bindings = [(name = "ROOM", durableObjectNamespace = "Room")],
  durableObjectNamespaces = [(className = "Room", uniqueKey = "room")],
  durableObjectStorage = (inMemory = void),
);
`;

/** The events but for markers, which carry an id and nothing else. */
const published = ({ events }: Client) => events.filter(({ event }) => event !== 'tidings');
const hasLast = (client: Client) => published(client).at(-1)?.data === '3';
const lastId = ({ events }: Client) => events.at(-1)?.id ?? '';

/** What a server tells of itself. */
interface State {
  departures: object[];
  failures: string[];
  flood: { produced: number; reason?: string };
  asked: number;
}

beforeAll(async () => {
  await build({
    config: false,
    silent: true,
    entry: SERVERS.map(server => `${FOLDER}/${server}.mjs`),
    outDir: bundles,
    outExtension: () => ({ js: '.js' }),
    format: 'esm',
    target: 'node20',
    noExternal: [/./],
    splitting: false,
    removeNodeProtocol: false,
    // Express and Koa are CommonJS, which asks for Node's modules with `require`.
    plugins: [
      {
        name: 'require',
        renderChunk(code, { path }) {
          if (/(hono|fetch)\.js$/.test(path)) return { code };
          const require = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;
          return { code: `${require}\n${code}` };
        },
      },
    ],
  });
  await Promise.all(
    runtimes
      .filter(({ program }) => existsSync(program))
      .flatMap(runtime =>
        runtime.servers.map(async server =>
          running.set(`${runtime.program} ${server}`, await start(runtime, server)),
        ),
      ),
  );
});

interface Server {
  origin: string;
  /** Open from the start: all wait for heartbeats at the same time. */
  silent: Client;
  /** The same: all wait for the stall timeout at the same time. */
  stalled: Client;
}

const children: ChildProcess[] = [];
const running = new Map<string, Server>();

async function start({ program, args }: Runtime, server: string): Promise<Server> {
  const port = await freePort();
  const child = spawn(program, args(server, port), {
    env: { ...process.env, PORT: String(port), BUN_PORT: String(port) },
    stdio: 'ignore',
  });
  children.push(child);
  const origin = `http://127.0.0.1:${port}`;
  await vi.waitFor(() => askServer(origin, '/state'), { timeout: 30_000 });
  const [silent, stalled] = [await request(origin, '/silent'), await request(origin, '/flood')];
  stalled.stall();
  return { origin, silent, stalled };
}

async function askServer(origin: string, question: string): Promise<State> {
  return (await (await fetch(origin + question)).json()) as State;
}

afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null) continue;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }
  rmSync(bundles, { recursive: true, force: true });
});

describe('Runtimes', () => {
  for (const { name, program, servers, departures } of runtimes) {
    describeSubject({ name, program }, () => {
      describe.each(servers)('%s', server => {
        const at = () => running.get(`${program} ${server}`) as Server;
        const get = (path: string, options?: RequestOptions) => request(at().origin, path, options);
        const ask = (path: string) => askServer(at().origin, path);

        test('headers and events, byte by byte', async () => {
          const client = await get('/fields');
          expect(await client.ended).toBe(true);
          expect(client.status).toBe(200);
          expect(client.headers).toMatchObject({
            'content-type': 'text/event-stream; charset=utf-8',
            'cache-control': 'no-cache, no-transform',
            'x-accel-buffering': 'no',
          });
          expect(client.text).toBe(
            'event: e\nretry: 5\ndata: a\nid: 1\n\ndata: one\ndata: two\ndata: three\ndata: four\n\n' +
              ': aside\ndata: {"a":[1]}\n\ndata: ü✓😀\n\n',
          );
        });

        test('a compressed response, if node:zlib exists, decoded immediately and to its end', async () => {
          const client = await get('/rows', { headers: { 'accept-encoding': 'gzip' } });
          await client.until(({ events }) => events[0]?.data === 'before');
          await ask('/publish-rows');
          expect(await client.ended).toBe(true);
          const rows = published(client).slice(1);
          expect(rows.map(({ data }) => data)).toEqual(
            Array.from({ length: 20 }, (_, n) => `<tr id="row-${n + 1}"><td>Server ${n + 1}</td></tr>`),
          );
          expect(client.headers['content-encoding']).toBe(name === 'workerd' ? undefined : 'gzip');
          if (name !== 'workerd') expect(gunzipSync(client.body).toString()).toBe(client.text);
        });

        test('HEAD has headers only', async () => {
          const client = await get('/silent', { method: 'HEAD' });
          expect(await client.ended).toBe(true);
          expect(client.headers['content-type']).toBe('text/event-stream; charset=utf-8');
          expect(client.text).toBe('');
        });

        test('`Last-Event-ID`, as UTF-8', async () => {
          const header = Buffer.from('hä✓').toString('latin1');
          const client = await get('/id', { headers: { 'last-event-id': header } });
          await client.until(({ events }) => events.length === 1);
          expect(JSON.parse(client.events[0]?.data ?? '')).toEqual({ id: 'hä✓' });
          client.leave();
        });

        test('a finished `stream()` is not opened again (204)', async () => {
          const first = await get('/source');
          await first.ended;
          expect(published(first).map(({ data }) => data)).toEqual(['x', 'y']);
          const again = await get('/source', { headers: { 'last-event-id': lastId(first) } });
          await again.ended;
          expect(again.status).toBe(204);
          expect(await ask('/state')).toMatchObject({ asked: 1 });
        });

        test('channels: live events to several clients, resume, and 204 after the end', async () => {
          const clients = [await get('/channel'), await get('/channel')] as const;
          for (const client of clients) await client.until(({ comments }) => comments.length === 1);
          await ask('/publish');
          for (const client of clients) await client.until(hasLast);
          const [first, ...others] = published(clients[0]);
          expect(first?.data).toBe('1');
          const resumed = await get('/channel', { headers: { 'last-event-id': first?.id ?? '' } });
          await resumed.until(hasLast);
          expect(published(resumed)).toEqual(others);
          await ask('/end');
          for (const client of [...clients, resumed]) expect(await client.ended).toBe(true);
          const late = await get('/channel', { headers: { 'last-event-id': lastId(clients[0]) } });
          await late.ended;
          expect(late.status).toBe(204);
        });

        test.for(departures)('a client that disconnects %s stops its source', async (how, { annotate }) => {
          if (!departures.includes('with a FIN')) {
            await annotate('Does not detect a client that has only sent a FIN, until a write fails', 'note');
          }
          const before = (await ask('/state')).departures.length;
          const client = await get('/leave');
          await client.until(({ events }) => events.length > 0);
          if (how === 'with a FIN') client.leave();
          else client.reset();
          await expect
            .poll(async () => (await ask('/state')).departures[before])
            .toEqual({ aborted: true, stopped: true, reason: 'disconnected' });
        });

        test('a source waits for a client that does not read, and a stalled client times out', async () => {
          await expect
            .poll(async () => (await ask('/state')).flood.reason, { interval: 200 })
            .toBe('stalled');
          expect((await ask('/state')).flood.produced).toBeLessThan(4_000);
          at().stalled.reset();
        });

        test.each(['/throw', '/reject'])('an error before the headers is a 500 (%s)', async path => {
          const client = await get(path);
          await client.ended;
          expect(client.status).toBe(500);
          expect(client.text).not.toContain('secret');
        });

        test('the first byte arrives immediately, and heartbeats keep an idle stream open for 15 s and more', async () => {
          const { silent: opened } = at();
          await opened.until(({ comments }) => comments.length >= (name === 'Bun' ? 3 : 2));
          expect(opened.text).toBe(':\n\n'.repeat(opened.comments.length));
          opened.leave();
        });

        test('no error in the background', async () => {
          expect((await ask('/state')).failures).toEqual([]);
        });
      });
    });
  }
});
