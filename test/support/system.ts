import { existsSync } from 'node:fs';
import { describe } from 'vitest';

export const CHROMIUM = '/usr/bin/chromium';
/** Each window has two pages for its address bar, which took a quarter of the CPU time of the tests with browsers. */
const UNUSED_FEATURES = ['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup'];
/** Those of Playwright 1.65: only the last of such arguments counts. */
const PLAYWRIGHT_DISABLES = [
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsUpgrades',
  'HttpsFirstBalancedModeAutoEnable',
  'LensOverlay',
  'MediaRouter',
  'PaintHolding',
  'ThirdPartyStoragePartitioning',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'TcpPortRandomizationWin',
  'OptimizationHints',
  'NetworkTimeServiceQuerying',
  'AimEnabled',
  'PreconnectToSearch',
];
export const CHROMIUM_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  `--disable-features=${[...UNUSED_FEATURES, ...PLAYWRIGHT_DISABLES]}`,
];

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
