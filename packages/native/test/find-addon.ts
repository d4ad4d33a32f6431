import { spawnSync } from 'node:child_process';
import { type Addon, loadAddon } from '../src/addon.ts';

/** The addon that `node scripts/setup.mjs` has built; undefined where there is no compiler. */
export function findAddon(): Addon | undefined {
  const hasCompiler = spawnSync('cc', ['--version']).error === undefined;
  const isSupported = process.platform === 'linux' || process.platform === 'darwin';
  return hasCompiler && isSupported ? loadAddon() : undefined;
}
