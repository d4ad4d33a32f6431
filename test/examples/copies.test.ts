import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { startByNpm } from '../support/example.ts';
import { tarballs, unpack } from '../support/packed.ts';
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
const packages = tarballs();

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'tidings-copies-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('all examples are there', () => {
  expect(Object.keys(examples).sort()).toEqual(readdirSync(join(root, 'examples')).sort());
});

test.each(Object.entries(examples))(
  'a copy of %s works with the packages from npm, and ends on a signal',
  async (name, follow) => {
    const copy = join(scratch, name);
    cpSync(join(root, 'examples', name), copy, {
      recursive: true,
      filter: source => basename(source) !== 'node_modules',
    });
    const file = join(copy, 'package.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8'));
    for (const dependency of Object.keys(manifest.dependencies)) {
      const tarball = packages.get(dependency);
      if (tarball !== undefined) manifest.dependencies[dependency] = `file:${tarball}`;
    }
    // The adapters serve it.
    manifest.overrides = { '@tidings/client': `file:${packages.get('@tidings/client')}` };
    // What serves needs no devDependencies, unless they are the runtimes.
    if (!(name in scripts)) manifest.devDependencies = {};
    writeFileSync(file, JSON.stringify(manifest));
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    execFileSync('npm', ['install', ...quiet], { cwd: copy, stdio: ['ignore', 'ignore', 'inherit'] });

    for (const [script, end] of Object.entries(scripts[name] ?? { start: [0, null] })) {
      const port = await freePort();
      const app = await startByNpm(copy, port, {}, script);
      const origin = `http://127.0.0.1:${port}`;
      const page = await request(origin, '/');
      await page.ended;
      expect([page.status, page.text.slice(0, 15).toLowerCase()]).toEqual([200, '<!doctype html>']);
      for (const [path, start] of [
        ['/readme', '# '],
        ['/design.css', '/* '],
      ] as const) {
        const file = await request(origin, path);
        await file.ended;
        expect([path, file.status, file.text.slice(0, start.length)]).toEqual([path, 200, start]);
      }
      const stream = await follow(origin);
      await stream.until(({ events }) => events.length > 0);
      const exit = once(app, 'exit');
      app.kill('SIGINT');
      expect([script, await exit]).toEqual([script, end]);
    }
  },
);

/** What each example in the README of @tidings/testing is run with. */
const runners: Record<string, [file: string, program: string, ...args: string[]]> = {
  vitest: ['readme.test.ts', 'node_modules/vitest/vitest.mjs', 'run'],
  supertest: ['readme.test.ts', 'node_modules/vitest/vitest.mjs', 'run'],
  jest: ['readme.test.js', 'test/node_modules/jest/bin/jest.js'],
  node: ['readme.test.mjs', '--test'],
};

describe('the README of @tidings/testing', () => {
  const text = readFileSync(join(root, 'packages/testing/README.md'), 'utf8');
  const blocks = [...text.matchAll(/(?:<!-- test: (.*) -->\n)?```(?:ts|js)\n([\s\S]*?)```/g)];

  test('has an example for each', () => {
    expect(blocks.map(([, name]) => name).sort()).toEqual(Object.keys(runners).sort());
  });

  test.each(Object.entries(runners))('works in %s', (name, [file, program, ...args]) => {
    // Here, so that the runners are found; what is tested comes from the tarballs.
    const folder = mkdtempSync(join(root, 'test/.readme-'));
    const run = (code: string) => {
      writeFileSync(join(folder, file), code);
      const command = program.startsWith('-') ? program : join(root, program);
      return spawnSync(process.execPath, [command, ...args], { cwd: folder, encoding: 'utf8' });
    };
    try {
      for (const [id, tarball] of packages) unpack(id, tarball, join(folder, 'node_modules'));
      writeFileSync(join(folder, 'package.json'), '{}');
      writeFileSync(join(folder, 'vitest.config.mjs'), 'export default {};');
      const code = blocks.find(([, title]) => title === name)?.[2] ?? '';
      const good = run(code);
      expect([good.status, good.stdout + good.stderr]).toEqual([0, expect.stringMatching(/1 passed|pass 1/)]);
      const bad = run(code.replace(/connect\(app, '/, '$&not-'));
      expect([bad.status, bad.stdout + bad.stderr]).toEqual([
        1,
        expect.stringContaining('not an event stream: 404'),
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
