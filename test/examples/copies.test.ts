import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { start } from '../support/example.ts';
import { freePort } from '../support/server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

type Follow = (origin: string) => Promise<Client>;
const get = (path: string): Follow => {
  return origin => request(origin, path);
};

/** Each example, and how its page follows its stream. */
const examples: Record<string, Follow> = {
  'express-dashboard': get('/events'),
  'express-prices': get('/events'),
  'hono-answers': get('/answers?prompt=hello'),
  'hono-anywhere': get('/events'),
  'htmx-jobs': get('/events'),
  'koa-timeline': async origin => {
    const headers = { 'content-type': 'application/json' };
    const login = await request(origin, '/login', { method: 'POST', headers, body: '{"name":"ann"}' });
    const cookie = [login.headers['set-cookie']].flat().map(text => text?.split(';')[0]);
    return request(origin, '/rooms/lobby/events', { headers: { cookie: cookie.join('; ') } });
  },
  'multi-node': get('/events'),
};

/** The scripts of an example that serve its page, and what ends each, if they are more than `start`. */
const scripts: Record<string, Record<string, unknown[]>> = {
  'hono-anywhere': { start: [0, null], bun: [0, null], deno: [0, null], workers: [null, 'SIGINT'] },
};

let scratch: string;
/** What npm would publish, by the names of the packages. */
const tarballs = new Map<string, string>();

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'tidings-copies-'));
  const run = (command: string, args: string[]) => {
    execFileSync('npx', [command, ...args], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  };
  const packages = ['pnpm', '--filter', './packages/*'] as const;
  run(packages[0], [...packages.slice(1), 'run', 'build']);
  run(packages[0], [...packages.slice(1), 'exec', 'pnpm', 'pack', '--pack-destination', scratch]);
  for (const file of readdirSync(scratch)) {
    const [, name] = /^tidings-(\w+)-\d/.exec(file) ?? [];
    tarballs.set(`@tidings/${name}`, `file:${join(scratch, file)}`);
  }
}, 120_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('all examples are there', () => {
  expect(Object.keys(examples).sort()).toEqual(readdirSync(join(root, 'examples')).sort());
});

test.each(Object.entries(examples))(
  'a copy of %s works with what npm installs, and ends when it is told to',
  async (name, follow) => {
    const copy = join(scratch, name);
    cpSync(join(root, 'examples', name), copy, {
      recursive: true,
      filter: source => basename(source) !== 'node_modules',
    });
    const file = join(copy, 'package.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8'));
    for (const dependency of Object.keys(manifest.dependencies)) {
      manifest.dependencies[dependency] = tarballs.get(dependency) ?? manifest.dependencies[dependency];
    }
    // What serves needs no devDependencies, unless they are the runtimes.
    if (!(name in scripts)) manifest.devDependencies = {};
    writeFileSync(file, JSON.stringify(manifest));
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    execFileSync('npm', ['install', ...quiet], { cwd: copy, stdio: ['ignore', 'ignore', 'inherit'] });

    for (const [script, end] of Object.entries(scripts[name] ?? { start: [0, null] })) {
      const port = await freePort();
      const app = await start(copy, port, {}, script);
      const origin = `http://127.0.0.1:${port}`;
      const page = await request(origin, '/');
      await page.ended;
      expect([page.status, page.text.slice(0, 15).toLowerCase()]).toEqual([200, '<!doctype html>']);
      const stream = await follow(origin);
      await stream.until(({ events }) => events.length > 0);
      const exit = once(app, 'exit');
      app.kill('SIGINT');
      expect([script, await exit]).toEqual([script, end]);
    }
  },
  120_000,
);
