// What the page about Next.js shows, in a project of its own.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tarballs, unpack } from '../support/packed.ts';
import { type Program, startProgram } from '../support/program.ts';
import { deliversAndResumes, messagesOf } from '../support/resumes.ts';
import { freePort, run } from '../support/server.ts';
import { root, snippet } from '../support/snippets.ts';

/** What the page does not show. */
const OTHERS = {
  'app/messages/route.ts': `
import { hub } from '../../hub';
export async function POST(request: Request) {
  const { searchParams } = new URL(request.url);
  return new Response(await hub.publish('messages', Object.fromEntries(searchParams)));
}`,
  // Of the two client libraries, only one is installed.
  'app/redis/route.ts': `
import { createHub } from '@tidings/core';
import { redisBroker } from '@tidings/redis';
export function POST() {
  createHub({ broker: redisBroker({ url: process.env.REDIS_URL!, prefix: 'next' }), onError() {} }).publish('news', 1);
  return new Response();
}`,
  'next.config.mjs': `
export default {
  // test/docs checks the types.
  typescript: { ignoreBuildErrors: true },
  turbopack: { root: ${JSON.stringify(root)} },
};`,
};

const environment = { NEXT_TELEMETRY_DISABLED: '1' };
const bin = join(root, 'test/node_modules/next/dist/bin/next');
let program: Program;
let redis: Awaited<ReturnType<typeof run>>;
let connections = 0;

// Within the repository, as Turbopack follows no link out of its root, but not among the tests: those have both clients.
const folder = mkdtempSync(join(root, '.site-'));

beforeAll(async () => {
  const modules = join(folder, 'node_modules');
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const packages = tarballs();
  for (const name of ['@tidings/core', '@tidings/redis']) {
    unpack(name, packages.get(name) as string, modules);
  }
  mkdirSync(join(modules, '@types'));
  for (const name of ['next', 'react', 'react-dom', 'ioredis', '@types/react']) {
    symlinkSync(join(root, 'test/node_modules', name), join(modules, name));
  }
  for (const path of ['hub.ts', 'app/events/route.ts', 'pages/api/events.ts', 'instrumentation.ts']) {
    write(path, snippet('docs/nextjs.md', `site ${path}`));
  }
  for (const [path, text] of Object.entries(OTHERS)) write(path, text);
  await promisify(execFile)(process.execPath, [bin, 'build'], {
    cwd: folder,
    env: { ...process.env, ...environment, NODE_ENV: 'production' },
  });
  redis = await run(net.createServer(() => connections++));
  const port = await freePort();
  program = startProgram(folder, port, [bin, 'start', '--port', String(port), '--hostname', '127.0.0.1'], {
    ...environment,
    NODE_ENV: 'production',
    REDIS_URL: redis.origin.replace('http', 'redis'),
  });
});
afterAll(async () => {
  await program?.stop();
  redis?.kill();
  rmSync(folder, { recursive: true, force: true });
});

it.each(['/events', '/api/events'])('%s delivers and resumes', async path => {
  const client = await deliversAndResumes(program, path);
  client.reset();
});

it('@tidings/redis is bundled, and imports the client library that is installed', async () => {
  await program.get('/redis', { method: 'POST' });
  await expect.poll(() => connections).toBeGreaterThan(0);
});

it('a stream of the App Router and one of the Pages Router have the same hub, which SIGTERM closes', async () => {
  const clients = await Promise.all(['/events', '/api/events'].map(path => program.get(path)));
  for (const client of clients) await client.until(({ events }) => events.length > 0);
  await program.get('/messages?text=three', { method: 'POST' });
  for (const client of clients) await client.until(each => messagesOf(each).length === 1);
  program.signal('SIGTERM');
  for (const client of clients) {
    expect(await client.ended).toBe(true);
    expect(client.retries).toHaveLength(1);
  }
  expect(await program.exited).toBe(143);
});
