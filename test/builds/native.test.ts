import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAddon } from '../../packages/native/test/find-addon.ts';
import { writePackedPrograms } from '../support/packed.ts';
import { root } from '../support/snippets.ts';

/** As npm installs it where there is no binary for the platform. */
let without: string;
/** With the package of the platform. */
let complete: string;

const PROGRAM = `
  const hubs = [1, 2].map(() => createHub({ fanOut: native() }));
  console.log(native() !== undefined);
  for (const hub of hubs) hub.close();`;
const names = { createHub: '@tidings/core', native: '@tidings/native' };
const built = `${root}packages/native/npm`;

beforeAll(() => {
  without = writePackedPrograms(names, PROGRAM);
  complete = writePackedPrograms(names, PROGRAM);
  if (findAddon() === undefined) return;
  for (const platform of readdirSync(built)) {
    cpSync(join(built, platform), join(complete, `node_modules/@tidings/native-${platform}`), {
      recursive: true,
    });
  }
});
afterAll(() => {
  for (const folder of [without, complete]) rmSync(folder, { recursive: true });
});

describe.each(['esm.mjs', 'commonjs.cjs'])('the packed @tidings/native, %s', program => {
  it('warns once that there is no binary, and hubs work without it', () => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [program], {
      cwd: without,
      encoding: 'utf8',
    });
    expect(stderr.match(/@tidings\/native is not used: it has no binary for \w+-\w+/g)).toHaveLength(1);
    expect([stdout, status]).toEqual(['false\n', 0]);
  });

  it.skipIf(findAddon() === undefined)('finds the binary in the package of the platform', () => {
    const { stdout, stderr } = spawnSync(process.execPath, [program], { cwd: complete, encoding: 'utf8' });
    expect([stdout, stderr]).toEqual(['true\n', '']);
  });
});
