import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Client, request } from '../support/client.ts';
import {
  failure,
  folderOf,
  inChromium,
  poll,
  pressCtrlC,
  shareExample,
  signal,
  start,
  throughProxy,
} from '../support/example.ts';
import { freePort } from '../support/server.ts';
import { CHROMIUM, describeWith } from '../support/system.ts';

const TILES = ['cores', 'memory', 'load', 'eventLoop', 'network', 'disk'];

/** In the place of uPlot: keeps the times of what it is to draw, and counts the charts that were taken away. */
const RECORDER = `
  window.times = [];
  window.removed = 0;
  export default class {
    root = document.body;
    constructor({ scales }) { window.range = (...times) => scales.x.range(this, ...times); }
    // A row without values is a gap.
    setData([times, ...lines]) { window.times = times.filter((_, row) => lines.some(line => line[row] !== null)); }
    setSize() {}
    destroy() { window.times = []; window.removed += 1; }
  }`;

const EXAMPLE = folderOf('express-dashboard');

describeWith(CHROMIUM, 'express-dashboard', () => {
  const newContext = inChromium();
  let port: number;
  let errors: string[];
  beforeEach(() => {
    errors = [];
  });

  describe('a server', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
    afterAll(() => rmSync(folder, { recursive: true }));
    const example = shareExample(EXAMPLE, { DATABASE: join(folder, 'dashboard.db') });
    beforeEach(() => {
      port = example.port;
    });

    test('shows live values and the number of open streams, and links to the inspector', async () => {
      const page = await openPage();
      await showsState(page, 'Live');
      await valuesChange(page);
      await showsStreams(page, '1 stream open');

      const second = await openPage();
      await showsState(second, 'Live');
      await showsStreams(page, '2 streams open');
      await showsStreams(second, '2 streams open');

      await second.getByRole('link', { name: 'Inspector' }).click();
      await showsStreams(page, '1 stream open');
      await second.getByText('Live', { exact: true }).waitFor();
      await second.getByLabel('1 streams').getByText('metrics').waitFor();
      await second.getByRole('tab', { name: /Processes/ }).click();
      await second.locator('.process').getByText('this page').waitFor();
      expect(errors).toEqual([]);
    });

    test('draws charts only for values that the machine provides', async () => {
      const page = await openPage();
      await page.locator('#cores-panel canvas').waitFor();
      const client = await connect();
      await client.until(() => samplesOf(client).length > 0);
      const sample = samplesOf(client)[0] as { cores: number[] };
      for (const field of ['cores', 'memory', 'eventLoop', 'network', 'disk']) {
        const charts = page.locator(`#${field}-panel canvas`);
        expect([field, await charts.count()]).toEqual([field, field in sample ? 1 : 0]);
        expect([field, await page.locator(`#${field}-tile`).isVisible()]).toEqual([field, field in sample]);
      }
      expect(await page.locator('#cores-panel .u-series').count()).toBe(1 + sample.cores.length);
      expect(errors).toEqual([]);
    });

    test('offers to retry after a response that is not a stream', async () => {
      const context = await newContext();
      await context.route('**/events', route => route.fulfill({ contentType: 'text/html', body: 'Welcome' }));
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
      await poll(color).toContain('rgb(11, 118, 118)');
      await page.emulateMedia({ colorScheme: 'dark' });
      await poll(color).toContain('rgb(94, 200, 196)');
      expect(errors).toEqual([]);
    });

    test.each(['light', 'dark'] as const)('fits a phone, %s', async colorScheme => {
      const page = await openPage({ viewport: { width: 360, height: 740 }, isMobile: true, colorScheme });
      await page.locator('#cores-panel canvas').waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      expect(errors).toEqual([]);
    });

    test('prints which port is in use', async () => {
      const [status, output] = await failure('express-dashboard/server.ts', { PORT: String(port) });
      expect(status).toBe(1);
      expect(output).toContain(`Port ${port} is taken`);
    });

    test('shows every value and its past in a page that is opened later', async () => {
      const client = await connect();
      // Each comes with seven other events or more. Were their channel not compacted, the machine would not be among the
      // last 120 that a page asks for.
      await client.until(() => timesOf(client).length >= 20);
      const told = client.events.filter(({ event, data }) => TILES.includes(event ?? '') && data !== 'null');
      const tiles = [...new Set(told.map(({ event }) => event))];
      expect(tiles).toEqual(expect.arrayContaining(['cores', 'memory', 'eventLoop']));
      const before = await nextTimes(client);
      const page = await openPage({ recorded: true });
      const shown = (await (await page.waitForFunction(everyValue(tiles))).jsonValue()) as number[];
      const latest = shown.at(-1) as number;
      expect(latest).toBeGreaterThanOrEqual(before.at(-1) as number);
      await client.until(() => timesOf(client).includes(latest));
      const sent = timesOf(client).filter(time => time <= latest);
      expect(shown).toEqual(sent.slice(-shown.length));
      // All of them, unless the server is two minutes old.
      expect(shown.length).toBeGreaterThanOrEqual(Math.min(sent.length, 119));
      expect(errors).toEqual([]);
    });
  });

  describe('a server that is lost', () => {
    let server: ChildProcess;
    let folder: string;
    beforeEach(async () => {
      port = await freePort();
      folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      server = await startExample();
    });
    const startExample = () => start(EXAMPLE, port, { DATABASE: join(folder, 'dashboard.db') });

    test('reconnects when the server was stopped and started again', async () => {
      const page = await openPage();
      await showsState(page, 'Live');
      await valuesChange(page);
      expect(errors).toEqual([]);

      expect(await pressCtrlC(server)).toEqual([0, null]);
      await showsState(page, 'Reconnecting');
      const last = await values(page);

      server = await startExample();
      await showsState(page, 'Live');
      await valuesChange(page, last);
      await showsStreams(page, '1 stream open');
      expect(await page.locator('#cores-panel canvas').count()).toBe(1);
      for (const error of errors) expect(error).toMatch(/^Failed to load resource: net::ERR_/);
    });

    test('draws each sample once after the connection was aborted', async () => {
      const { origin, cut, mend } = await throughProxy(port);
      const client = await connect();
      const page = await openPage({ recorded: true, origin });
      await drawsWhatWasSent(page, client, 2);
      cut();
      await showsState(page, 'Reconnecting');
      const missed = timesOf(client).length + 3;
      await client.until(() => timesOf(client).length >= missed);
      mend();
      await showsState(page, 'Live');
      await drawsWhatWasSent(page, client, missed + 1);
      expect(await page.evaluate('removed')).toBe(0);
      // The charts begin with the first sample, and show at most two minutes.
      expect(await page.evaluate('[range(500, 502), range(500, 530), range(500, 900)]')).toEqual([
        [492, 502],
        [500, 530],
        [780, 900],
      ]);
    });

    test('draws each sample once after the connection broke without an error', async () => {
      const client = await connect();
      const page = await openPage({ recorded: true });
      await drawsWhatWasSent(page, client, 2);
      process.kill(-(server.pid as number), 'SIGSTOP');
      await showsState(page, 'Reconnecting');
      process.kill(-(server.pid as number), 'SIGCONT');
      await showsState(page, 'Live');
      await drawsWhatWasSent(page, client, timesOf(client).length + 2);
      expect(await page.evaluate('removed')).toBe(0);
    });

    test('resumes with a server that was killed, and starts again with a server that lost its file', async () => {
      const page = await openPage({ recorded: true });
      await drawsWhatWasSent(page, await connect(), 2);
      await signal(server, 'SIGKILL');
      await showsState(page, 'Reconnecting');
      server = await startExample();
      await showsState(page, 'Live');
      // A new page is sent what was before, too.
      await drawsWhatWasSent(page, await connect(), 4);
      expect(await page.evaluate('removed')).toBe(0);

      await signal(server, 'SIGKILL');
      for (const name of readdirSync(folder)) rmSync(join(folder, name));
      await showsState(page, 'Reconnecting');
      server = await startExample();
      await page.waitForFunction('removed > 0');
      await drawsWhatWasSent(page, await connect(), 2);
    });
  });

  const url = () => `http://127.0.0.1:${port}/`;

  async function connect(): Promise<Client> {
    const client = await request(`http://127.0.0.1:${port}`, '/events');
    onTestFinished(client.leave);
    return client;
  }

  async function openPage({ recorded = false, origin = url(), ...options }: PageOptions = {}): Promise<Page> {
    const context = await newContext(options);
    if (recorded) {
      await context.route('**/uPlot.esm.js', route =>
        route.fulfill({ contentType: 'text/javascript', body: RECORDER }),
      );
    }
    const page = await context.newPage();
    page.on('console', message => {
      if (message.type() === 'error') errors.push(message.text());
    });
    page.on('pageerror', error => errors.push(String(error)));
    await page.goto(origin);
    return page;
  }
});

interface PageOptions extends BrowserContextOptions {
  /** With RECORDER in the place of uPlot. */
  recorded?: boolean;
  /** Default: the server's own. */
  origin?: string;
}

const samplesOf = ({ events }: Client) =>
  events.filter(({ event }) => event === 'sample').map(({ data }) => JSON.parse(data));

/** When the samples were taken that a client was sent, in the seconds of the charts. */
const timesOf = (client: Client): number[] => samplesOf(client).map(({ at }) => at / 1000);

/** The same, as soon as there are more. */
async function nextTimes(client: Client, before = timesOf(client)): Promise<number[]> {
  await client.until(() => timesOf(client).length > before.length);
  return timesOf(client);
}

/** For a page: what its charts have, once there is a value wherever one belongs. */
const everyValue = (tiles: readonly unknown[]) => `
  ${JSON.stringify(tiles)}.every(tile => /\\d/.test(document.querySelector(\`#\${tile}-tile:not([hidden]) .value\`)?.textContent)) &&
  ['uptime', 'streams'].every(id => document.getElementById(id).textContent) &&
  document.title.endsWith(' · Tidings dashboard') &&
  window.times?.length > 0 && times`;

/** Waits until a page draws so many samples. They have to be those that a client was sent which was never cut. */
async function drawsWhatWasSent(page: Page, client: Client, count: number): Promise<void> {
  await page.waitForFunction(`window.times?.length >= ${count}`);
  const drawn = await page.evaluate<number[]>('times');
  const latest = drawn.at(-1) as number;
  await client.until(() => timesOf(client).includes(latest));
  expect(drawn).toEqual(timesOf(client).filter(time => time <= latest));
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
  await poll(() => values(page)).not.toBe(known);
}
