import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { freePort } from '../support/server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

let npm: ChildProcess;
afterEach(() => npm.kill('SIGKILL'));

it.each(['SIGINT', 'SIGTERM'] as const)(
  'npm start serves the dashboard, and on %s drains and exits 0',
  async signal => {
    const port = await freePort();
    npm = spawn('npm', ['start'], {
      cwd: root,
      env: { ...process.env, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface(npm.stdout as Readable)) {
      if (line.startsWith('Dashboard: ')) break;
    }
    const page = await request(`http://127.0.0.1:${port}`, '/');
    expect(page.status).toBe(200);
    const client = await request(`http://127.0.0.1:${port}`, '/events');
    await client.until(({ events }) => events.some(({ event }) => event === 'sample'));
    npm.kill(signal);
    expect(await client.ended).toBe(true);
    expect(client.retries).toHaveLength(2);
    expect(await once(npm, 'exit')).toEqual([0, null]);
  },
);
