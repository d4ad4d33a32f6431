import { existsSync } from 'node:fs';
import { describe } from 'vitest';

/**
 * The engine of Chromium without its windows, as Playwright uses it: pages take two thirds of the CPU time. The whole
 * Chromium is one of the browsers in test/real-world/browsers.test.ts.
 */
export const CHROMIUM = '/usr/bin/chromium-headless-shell';

/**
 * `describe`, for tests that need a program of the machine. Where it is missing they are skipped under a name
 * that says how to get it; with `CI` set, that is a failure.
 */
export function describeWith(program: string, name: string, tests: () => void): void {
  if (existsSync(program)) {
    describe(name, tests);
    return;
  }
  const missing = `${name} (needs ${program}: on Debian, npm test as root installs it; else apt-get install ${program.split('/').at(-1)})`;
  if (process.env.CI) throw new Error(missing);
  describe.skip(missing, tests);
}
