import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { root, snippet } from '../support/snippets.ts';

// Among the tests, so that the packages are found as from any other.
const folder = mkdtempSync(`${root}test/.snippets-`);
afterAll(() => rmSync(folder, { recursive: true }));

writeFileSync(`${folder}/prices.ts`, snippet('docs/testing.md', 'vitest'));
await import(`${folder}/prices.ts`);

it('the test of the page about getting started passes', () => {
  for (const name of ['app.mjs', 'app.test.mjs']) {
    const block = `site started/${name.replace('mjs', 'mts')}`;
    writeFileSync(`${folder}/${name}`, snippet('docs/getting-started.md', block));
  }
  const args = ['--import', 'tsx', '--test', 'app.test.mjs'];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, expect.stringMatching(/pass 1/)]);
});
