import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { request } from '../support/client.ts';
import { linesOf, poll, startByNpm } from '../support/example.ts';
import { freePort } from '../support/server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

it.each(['SIGINT', 'SIGTERM'] as const)(
  'npm start serves the dashboard and its metrics, and on %s drains and exits 0',
  async signal => {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const npm = await startByNpm(root, port, { DATABASE: join(folder, 'dashboard.db') });
    await poll(() => linesOf(npm).slice(-3)).toEqual([
      `Dashboard: http://127.0.0.1:${port}`,
      expect.stringContaining(`Inspector: http://127.0.0.1:${port}/_tidings/`),
      'Next: npm start express-prices. All examples: npm start -- --list',
    ]);
    const page = await request(`http://127.0.0.1:${port}`, '/');
    expect(page.status).toBe(200);
    const client = await request(`http://127.0.0.1:${port}`, '/events');
    await client.until(({ events }) => events.some(({ event }) => event === 'sample'));
    const metrics = await request(`http://127.0.0.1:${port}`, '/metrics');
    await metrics.ended;
    expect(metrics.text).toMatch(/^tidings_streams_open 1$/m);
    npm.kill(signal);
    expect(await client.ended).toBe(true);
    expect(client.retries).toHaveLength(2);
    expect(await once(npm, 'exit')).toEqual([0, null]);
  },
);
