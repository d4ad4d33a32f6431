import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { PACKED } from '../support/packed.ts';
import { root } from '../support/snippets.ts';

const folder = join(PACKED, 'jest');
afterAll(() => rmSync(folder, { recursive: true }));

/** What users have in Jest, with the packages as they are published. */
// Vitest would take the comment for itself if it were in one piece.
const FILES = {
  'package.json': '{}',
  'jsdom.test.js': `
/** @jest-${'environment'} jsdom */
test('core is loaded, and encodes events without subscribers', async () => {
  const { createHub, encodeEvent } = require('@tidings/core');
  const hub = createHub();
  await hub.publish('news', { a: 1 });
  expect(encodeEvent({ data: { a: 1 } })).toBe('data: {"a":1}\\n\\n');
});
`,
  'fake-timers.test.js': `
const { createServer } = require('node:http');
jest.useFakeTimers({ doNotFake: ['setImmediate'] });
test('a client that was loaded under fake timers still receives, and times out in real time', async () => {
  const { createHub } = require('@tidings/core');
  const { openStream } = require('@tidings/core/node');
  const { connect } = require('@tidings/testing');
  const hub = createHub();
  const server = createServer((req, res) => void openStream(req, res, { hub }).send('x'));
  const client = await connect(server, '/', { timeout: 3_000 });
  expect(await client.next()).toMatchObject({ data: 'x' });
  await expect(client.next()).rejects.toThrow();
  await client.close();
});
`,
};

it('Jest runs the packages in jsdom, and @tidings/testing under fake timers', () => {
  mkdirSync(folder);
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  const jest = join(root, 'test/node_modules/jest/bin/jest.js');
  const { status, stderr } = spawnSync(process.execPath, [jest, '--runInBand', '--rootDir', folder], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 50_000,
  });
  expect([status, stderr]).toEqual([0, expect.stringContaining('2 passed')]);
});
