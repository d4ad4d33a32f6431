// Takes the pictures of the dashboard for the README and the site, light and dark: `npm run picture`. Runs the example
// until its charts have something to show, and needs Chromium.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { chromium } = createRequire(`${root}test/package.json`)('playwright-core');
const folder = `${root}docs/public`;
const MOST = 100_000;
/** The charts show two minutes. */
const UNTIL_FULL = 125_000;

const scratch = mkdtempSync(join(tmpdir(), 'tidings-picture-'));
const server = spawn(process.execPath, ['--import', 'tsx', 'server.ts'], {
  cwd: `${root}examples/express-dashboard`,
  env: { ...process.env, PORT: '0', DATABASE: join(scratch, 'dashboard.db') },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const url = await urlOf(server);
  await pause(UNTIL_FULL);
  mkdirSync(folder, { recursive: true });
  for (const colorScheme of ['light', 'dark']) {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1280, height: 800 } });
    await page.goto(url);
    await page.waitForSelector('canvas');
    await pause(3_000);
    const session = await page.context().newCDPSession(page);
    const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 82 });
    const bytes = Buffer.from(data, 'base64');
    if (bytes.length > MOST) throw new Error(`the picture has ${bytes.length} bytes, more than ${MOST}`);
    writeFileSync(`${folder}/dashboard-${colorScheme}.webp`, bytes);
    console.log(`docs/public/dashboard-${colorScheme}.webp: ${bytes.length} bytes`);
    await page.close();
  }
} finally {
  await browser.close();
  server.kill('SIGINT');
  await once(server, 'exit');
  rmSync(scratch, { recursive: true });
}

/** The address that the example prints. */
function urlOf(example) {
  return new Promise((resolve, reject) => {
    example.stdout.on('data', text => {
      const [url] = /http:\S+/.exec(String(text)) ?? [];
      if (url !== undefined) resolve(url);
    });
    example.on('exit', () => reject(new Error('the example has ended')));
  });
}
