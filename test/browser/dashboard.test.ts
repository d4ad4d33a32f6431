import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { freePort } from '../support/server.ts';
import { CHROMIUM, describeWith } from '../support/system.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/express-dashboard', import.meta.url));
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** In the place of uPlot: keeps the times of what it is to draw. */
const RECORDER = `
  export default class {
    root = document.body;
    setData([times]) { window.times = times; }
    setSize() {}
    destroy() {}
  }`;

describeWith(CHROMIUM, 'express-dashboard', () => {
  let browser: Browser;
  let port: number;
  let server: ChildProcess;
  let errors: string[];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    errors = [];
    port = await freePort();
    server = await startServer(port);
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map(context => context.close()));
    await Promise.all(spawned.splice(0).map(kill));
  });

  test('shows live values, and how many streams are open', async () => {
    const page = await openPage();
    await showsState(page, 'Live');
    await valuesChange(page);
    await showsStreams(page, '1 stream open');

    const second = await openPage();
    await showsState(second, 'Live');
    await showsStreams(page, '2 streams open');
    await showsStreams(second, '2 streams open');

    await second.close();
    await showsStreams(page, '1 stream open');
    expect(errors).toEqual([]);
  });

  test('draws a chart for what the machine tells, and none for what it does not', async () => {
    const page = await openPage();
    await page.locator('#cores-panel canvas').waitFor();
    const sample = await readSample(url());
    for (const field of ['cores', 'memory', 'eventLoop', 'network', 'disk']) {
      const charts = page.locator(`#${field}-panel canvas`);
      expect([field, await charts.count()]).toEqual([field, field in sample ? 1 : 0]);
      expect([field, await page.locator(`#${field}-tile`).isVisible()]).toEqual([field, field in sample]);
    }
    expect(await page.locator('#cores-panel .u-series').count()).toBe(1 + sample.cores.length);
    expect(errors).toEqual([]);
  });

  test('comes back by itself when the server has been stopped and started again', async () => {
    const page = await openPage();
    await showsState(page, 'Live');
    await valuesChange(page);
    expect(errors).toEqual([]);

    const exited = once(server, 'exit');
    server.kill('SIGINT');
    expect(await exited).toEqual([0, null]);
    await showsState(page, 'Reconnecting');
    const last = await values(page);

    server = await startServer(port);
    await showsState(page, 'Live');
    await valuesChange(page, last);
    await showsStreams(page, '1 stream open');
    expect(await page.locator('#cores-panel canvas').count()).toBe(1);
    for (const error of errors) expect(error).toMatch(/^Failed to load resource: net::ERR_/);
  });

  test('draws no point twice when it reconnects and gets the history again', async () => {
    const context = await browser.newContext();
    await context.route('**/uPlot.esm.js', route =>
      route.fulfill({ contentType: 'text/javascript', body: RECORDER }),
    );
    const page = await context.newPage();
    await page.goto(url());
    await page.waitForFunction('window.times?.length >= 3');
    const before = await page.evaluate<number[]>('window.times');
    // Its button is there only when offline; the connection that it makes is like any other.
    await page.evaluate('document.getElementById("retry").click()');
    await page.waitForFunction(`window.times.length >= ${before.length + 2}`);
    const after = await page.evaluate<number[]>('window.times');
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after).toEqual([...new Set(after)].sort((a, b) => a - b));
  });

  test('offers to retry after an answer that is not a stream', async () => {
    const context = await browser.newContext();
    await context.route('**/events', route => route.fulfill({ status: 502, body: 'Bad gateway' }));
    const page = await context.newPage();
    await page.goto(url());
    await showsState(page, 'Offline');
    await context.unroute('**/events');
    await page.getByRole('button', { name: 'Retry now' }).click();
    await showsState(page, 'Live');
    await valuesChange(page);
  });

  test('draws in other colors when the color scheme changes', async () => {
    const page = await openPage({ colorScheme: 'light' });
    const line = page.locator('#cores-panel .u-series').filter({ hasText: 'Core 0' });
    const color = () => line.locator('.u-marker').getAttribute('style');
    await expect.poll(color).toContain('rgb(37, 99, 235)');
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(color).toContain('rgb(110, 168, 254)');
    expect(errors).toEqual([]);
  });

  test.each(['light', 'dark'] as const)('fits a phone, %s', async colorScheme => {
    const page = await openPage({ viewport: { width: 360, height: 740 }, isMobile: true, colorScheme });
    await page.locator('#cores-panel canvas').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    expect(errors).toEqual([]);
  });

  test('says which port is taken', async () => {
    const second = spawnServer(port);
    const output: string[] = [];
    second.stderr?.on('data', chunk => output.push(String(chunk)));
    expect(await once(second, 'close')).toEqual([1, null]);
    expect(output.join('')).toContain(`Port ${port} is taken`);
  });

  const url = () => `http://127.0.0.1:${port}/`;

  async function openPage(options?: BrowserContextOptions): Promise<Page> {
    const page = await (await browser.newContext(options)).newPage();
    page.on('console', message => {
      if (message.type() === 'error') errors.push(message.text());
    });
    page.on('pageerror', error => errors.push(String(error)));
    await page.goto(url());
    return page;
  }
});

/** To be killed after the test, whatever comes of it. */
const spawned: ChildProcess[] = [];

function spawnServer(port: number): ChildProcess {
  const server = spawn(process.execPath, ['--import', 'tsx', 'server.ts'], {
    cwd: EXAMPLE,
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  spawned.push(server);
  return server;
}

/** Resolves when the server has printed the URL of its page. */
async function startServer(port: number): Promise<ChildProcess> {
  const server = spawnServer(port);
  const output: string[] = [];
  server.stderr?.on('data', chunk => output.push(String(chunk)));
  for await (const line of createInterface({ input: server.stdout as Readable })) {
    if (line.includes(`http://127.0.0.1:${port}`)) return server;
  }
  throw new Error(`The server did not start: ${output.join('')}`);
}

async function kill(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill('SIGKILL');
  await once(server, 'exit');
}

/** The first sample that a stream of its own brings. */
async function readSample(url: string): Promise<{ cores: number[] }> {
  const { body } = await fetch(new URL('events', url));
  let text = '';
  for await (const chunk of (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const sample = /^event: sample\ndata: (.*)\n\n/m.exec(text)?.[1];
    if (sample !== undefined) return JSON.parse(sample);
  }
  throw new Error('The stream ended without a sample');
}

async function showsState(page: Page, state: string): Promise<void> {
  await page
    .getByRole('status')
    .filter({ hasText: new RegExp(`^${state}$`) })
    .waitFor();
}

async function showsStreams(page: Page, text: string): Promise<void> {
  await page
    .locator('#streams')
    .filter({ hasText: new RegExp(`^${text}$`) })
    .waitFor();
}

const values = (page: Page) => page.locator('#tiles').textContent();

/** Waits until the tiles say something else than before. */
async function valuesChange(page: Page, before?: string | null): Promise<void> {
  await page.locator('#cores-panel canvas').waitFor();
  const known = before ?? (await values(page));
  await expect.poll(() => values(page), { timeout: 20_000 }).not.toBe(known);
}
