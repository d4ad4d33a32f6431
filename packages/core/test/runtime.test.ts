import { expect, it } from 'vitest';
import { isOldBun } from '../src/transports/runtime.ts';

it.each([
  ['0.8.1', true],
  ['1.3.11', true],
  ['1.4.0', false],
  ['1.10.0', false],
  ['2.0.0', false],
])('Bun %s is too old for node:http: %s', (version, isOld) => {
  expect(isOldBun(version)).toBe(isOld);
});
