import { existsSync } from 'node:fs';
import { type Browser, type BrowserServer, chromium } from 'playwright-core';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { CHROMIUM } from './system.ts';

declare module 'vitest' {
  interface ProvidedContext {
    chromium: string | undefined;
  }
}

const shared = globalThis as { tidingsChromium?: Promise<BrowserServer> };

/** A global setup of Vitest: starts the Chromium that all files of all projects share. */
export default async function launch({ provide }: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (!existsSync(CHROMIUM)) return undefined;
  // Each project has a copy of this module.
  shared.tidingsChromium ??= chromium.launchServer({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  const server = await shared.tidingsChromium;
  provide('chromium', server.wsEndpoint());
  return () => server.close();
}

/** A connection to it; to close that ends what was opened over it, and leaves Chromium to the others. */
export function connectToChromium(): Promise<Browser> {
  const endpoint = inject('chromium');
  if (endpoint === undefined) throw new Error(`${CHROMIUM} is not installed`);
  return chromium.connect(endpoint);
}
