import { existsSync } from 'node:fs';
import { describe } from 'vitest';

/**
 * Chromium without windows, the build that Playwright itself uses. Tests with pages take a quarter less CPU time than in
 * the full browser, which test/real-world/browsers.test.ts tests.
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
