import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('leaves no timer or socket, and does not keep the process running without close()', () => {
  const program = fileURLToPath(new URL('leftovers.ts', import.meta.url));
  const options = { encoding: 'utf8', timeout: 15_000 } as const;
  const { before, after } = JSON.parse(execFileSync(process.execPath, ['--import', 'tsx', program], options));
  expect(after).toEqual(before);
});
