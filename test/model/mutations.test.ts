import { transform } from 'esbuild';
import { expect, it } from 'vitest';
import { applyMutation, readMutations } from './mutation.ts';

it('each mutation replaces text that its file has once, and leaves code that can be parsed', async () => {
  const faults: string[] = [];
  const names = new Set<string>();
  for (const mutation of readMutations()) {
    const name = `${mutation.file}: ${mutation.rule}`;
    if (names.has(name)) faults.push(`${name}: two mutations have this name`);
    names.add(name);
    try {
      await transform(applyMutation(mutation), { loader: 'ts', sourcefile: name, logLevel: 'silent' });
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  expect(faults).toEqual([]);
});
