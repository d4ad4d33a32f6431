import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { root } from '../support/snippets.ts';

// Versions that have node:sqlite. The version that runs the tests has the other drivers.
it.concurrent.each(['22', '24', '26'])(
  'passes the contract with node:sqlite on Node.js %s',
  async version => {
    const node = `${root}test/real-world/servers/node_modules/node${version}/bin/node`;
    const vitest = `${root}node_modules/vitest/vitest.mjs`;
    const args = ['run', '--project', 'unit', 'test/brokers/sqlite.test.ts', '-t', 'node:sqlite'];
    const env = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'));
    const child = spawn(node, [vitest, ...args], {
      cwd: root,
      env: { ...Object.fromEntries(env), NO_COLOR: '1' },
    });
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    expect([code, output]).toEqual([0, expect.stringMatching(/Tests +\d\d passed/)]);
  },
);
