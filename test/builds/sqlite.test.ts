import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writePackedPrograms } from '../support/packed.ts';
import { root } from '../support/snippets.ts';

/** Where no driver can be found among the packages of a folder above it. */
let folder: string;

const PROGRAM = `
  const hub = createHub({ broker: sqliteBroker({ file: 'hub.db' }), onError() {}, publishTimeout: 500 });
  hub.publish('x', 1).then(
    id => console.log(/^\\w+-\\d+$/.test(id)),
    ({ code, cause, message }) => console.log(code, cause?.message ?? message),
  ).finally(() => hub.close());`;
const names = { createHub: '@tidings/core', sqliteBroker: '@tidings/sqlite' };

beforeAll(() => {
  folder = writePackedPrograms(names, PROGRAM);
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(node: string, ...args: string[]): string {
  return spawnSync(node, args, { cwd: folder, encoding: 'utf8' }).stdout;
}

const NODE_22 = `${root}test/real-world/servers/node_modules/node22/bin/node`;

it('is bundled by esbuild, without the drivers that are not installed', async () => {
  const outfile = join(folder, 'bundle.cjs');
  const entryPoints = [join(folder, 'esm.mjs')];
  await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'cjs', logLevel: 'silent' });
  expect(run(NODE_22, outfile)).toBe('true\n');
});

describe.each(['esm.mjs', 'commonjs.cjs'])('the packed @tidings/sqlite, %s', program => {
  it('uses node:sqlite if it exists', () => {
    expect(run(NODE_22, program)).toBe('true\n');
  });

  it('names the three drivers if none can be loaded', () => {
    const hasSqlite = Number.parseInt(process.versions.node, 10) >= 22;
    const flags = hasSqlite ? ['--no-experimental-sqlite'] : [];
    const output = run(process.execPath, ...flags, program);
    expect(output).toMatch(/not-stored/);
    for (const name of ['node:sqlite', 'libsql', 'better-sqlite3']) expect(output).toContain(name);
  });
});
