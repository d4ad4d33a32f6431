import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { pipeline, type Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type Client, request } from '../support/client.ts';
import { freePort, run } from '../support/server.ts';
import { CHROMIUM, describeWith } from '../support/system.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/express-prices', import.meta.url));
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
const SHARES = 40;

/** In the place of uPlot: keeps what each share's chart is to draw. */
const CHART_RECORDER = `
  window.charts = {};
  export default class {
    constructor(_options, _data, place) { this.share = place.closest('li').id; }
    setData([, prices]) { charts[this.share] = prices; }
    destroy() { delete charts[this.share]; }
  }`;

/** Keeps the prices that an EventSource hands to the page's handlers, by their symbols. */
const EVENT_RECORDER = `
  window.heard = [];
  window.EventSource = class extends EventSource {
    constructor(url) {
      super(url);
      this.addEventListener('price', ({ data }) => heard.push(JSON.parse(data).symbol));
    }
  }`;

describeWith(CHROMIUM, 'express-prices', () => {
  let browser: Browser;
  let port: number;
  let server: ChildProcess;

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    port = await freePort();
    server = await startServer(port);
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map(context => context.close()));
    await Promise.all(spawned.splice(0).map(kill));
  });

  test('shows every share with its price, its change and a chart, and what changes', async () => {
    const page = await openPage();
    await showsState(page, 'Live');
    await page
      .locator('li')
      .nth(SHARES - 1)
      .waitFor();
    expect(await page.locator('li canvas').count()).toBe(SHARES);
    const share = await page.locator('#ACRN').textContent();
    expect(share).toMatch(/^\s*ACRN\s+Acorn Timber\s+\d+\.\d\d\s+[▲▼] \d+\.\d\d %\s*$/);
    await poll(() => page.locator('#ACRN').textContent()).not.toBe(share);
    await poll(() => page.evaluate('document.getAnimations().length')).toBeGreaterThan(0);
    expect(await page.locator('header').textContent()).toContain('Nothing here is real');
  });

  test('a late page has the price of every share first of all, and the past of each', async () => {
    const page = await openPage({ recorded: true });
    await page.waitForFunction(`heard.length > ${SHARES}`);
    const first = await page.evaluate<string[]>(`heard.slice(0, ${SHARES})`);
    expect(new Set(first).size).toBe(SHARES);
    expect(await symbols(page)).toEqual([...first].sort());
    // Sixty points, and the price of now.
    await poll(() => chartLengths(page)).toEqual(Array(SHARES).fill(61));
  });

  test('two pages agree with what was sent, and Ctrl-C ends the server', async () => {
    const client = await connect();
    const [a, b] = [await openPage({ recorded: true }), await openPage({ recorded: true })];
    for (const page of [a, b]) await showsState(page, 'Live');
    await getsPoints(client, 2);

    expect(await pressCtrlC(server)).toEqual([0, null]);
    for (const page of [a, b]) {
      await showsState(page, 'Reconnecting');
      await poll(() => shown(page)).toEqual(sentTo(client));
    }
  });

  test('goes on where it was when its connection was cut', async () => {
    const proxy = net.createServer(socket => {
      pipeline([socket, net.connect(port, '127.0.0.1'), socket], () => {});
    });
    const { origin, kill: cut } = await run(proxy);
    onTestFinished(cut);
    const client = await connect();
    const page = await openPage({ recorded: true, origin });
    await showsState(page, 'Live');
    await mark(page);
    cut();
    await showsState(page, 'Reconnecting');
    await getsPoints(client, 1);
    proxy.listen(Number(new URL(origin).port), '127.0.0.1');
    await showsState(page, 'Live');
    await getsPoints(client, 1);
    await pressCtrlC(server);
    await poll(() => shown(page)).toEqual(sentTo(client));
    expect(await page.locator('.marked').count()).toBe(SHARES);
  });

  test('begins anew with a server that was started anew', async () => {
    const page = await openPage({ recorded: true });
    await showsState(page, 'Live');
    await mark(page);
    await pressCtrlC(server);
    await showsState(page, 'Reconnecting');

    server = await startServer(port, { SEED: '2' });
    const client = await connect();
    await showsState(page, 'Live');
    await poll(() => page.locator('.marked').count()).toBe(0);
    await getsPoints(client, 1);
    await pressCtrlC(server);
    await poll(() => shown(page)).toEqual(sentTo(client));
  });

  test('says so when there is no stream', async () => {
    const page = await openPage({ blocked: true });
    await showsState(page, 'Offline: reload this page');
  });

  test.each(['light', 'dark'] as const)('fits a phone, %s', async colorScheme => {
    const page = await openPage({ viewport: { width: 390, height: 844 }, isMobile: true, colorScheme });
    await page
      .locator('li')
      .nth(SHARES - 1)
      .waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  });

  test('says which port is taken', async () => {
    const second = spawnServer(port);
    const output: string[] = [];
    second.stderr?.on('data', chunk => output.push(String(chunk)));
    expect(await once(second, 'close')).toEqual([1, null]);
    expect(output.join('')).toContain(`port ${port}`);
  });

  const connect = () => request(`http://127.0.0.1:${port}`, '/events');

  async function openPage({ recorded, blocked, origin, ...options }: PageOptions = {}): Promise<Page> {
    const context = await browser.newContext(options);
    if (recorded) {
      await context.addInitScript(EVENT_RECORDER);
      await context.route('**/uPlot.esm.js', route =>
        route.fulfill({ contentType: 'text/javascript', body: CHART_RECORDER }),
      );
    }
    if (blocked) await context.route('**/events', route => route.fulfill({ status: 502 }));
    const page = await context.newPage();
    await page.goto(origin ?? `http://127.0.0.1:${port}`);
    return page;
  }
});

interface PageOptions extends BrowserContextOptions {
  /** With recorders in the place of uPlot and EventSource. */
  recorded?: boolean;
  /** Its stream is answered with an error. */
  blocked?: boolean;
  /** Default: the server's own. */
  origin?: string;
}

/** To be killed after the test, whatever comes of it. */
const spawned: ChildProcess[] = [];

function spawnServer(port: number, env: NodeJS.ProcessEnv = {}): ChildProcess {
  // What the packages are in this repository is TypeScript; published, they need no tsx.
  const server = spawn(process.execPath, ['--import', 'tsx', 'server.js'], {
    cwd: EXAMPLE,
    env: { ...process.env, HOST: '127.0.0.1', PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  spawned.push(server);
  return server;
}

/** Resolves when the server has printed the URL of its page. */
async function startServer(port: number, env?: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const server = spawnServer(port, env);
  const output: string[] = [];
  server.stderr?.on('data', chunk => output.push(String(chunk)));
  for await (const line of createInterface({ input: server.stdout as Readable })) {
    if (line === `Prices: http://127.0.0.1:${port}`) return server;
  }
  throw new Error(`The server did not start: ${output.join('')}`);
}

async function pressCtrlC(server: ChildProcess): Promise<unknown[]> {
  const exited = once(server, 'exit');
  server.kill('SIGINT');
  return exited;
}

async function kill(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill('SIGKILL');
  await once(server, 'exit');
}

/** On a busy machine, even what is quick may take its time. */
const poll = <T>(read: () => T) => expect.poll(read, { timeout: 30_000 });

/** So that rows which are made anew can be told. */
async function mark(page: Page): Promise<void> {
  await page
    .locator('li')
    .nth(SHARES - 1)
    .waitFor();
  await page.evaluate("for (const item of document.querySelectorAll('li')) item.classList.add('marked')");
}

const symbols = (page: Page) => page.locator('li').evaluateAll(items => items.map(({ id }) => id));

const chartLengths = (page: Page) =>
  page.evaluate<number[]>('Object.values(charts).map(prices => prices.length)');

async function showsState(page: Page, state: string): Promise<void> {
  await page
    .getByRole('status')
    .filter({ hasText: new RegExp(`^${state}$`) })
    .waitFor();
}

interface Shown {
  /** By symbol. */
  prices: Record<string, string>;
  charts: Record<string, number[]>;
}

const shown = (page: Page) =>
  page.evaluate<Shown>(`({
    prices: Object.fromEntries([...document.querySelectorAll('li')].map(item =>
      [item.id, item.querySelector('.price').textContent + item.querySelector('.change').textContent])),
    charts,
  })`);

const dataOf = ({ events }: Client, name: string) =>
  events.filter(({ event }) => event === name).map(({ data }) => JSON.parse(data));

/** What a page has to show that has had the same. */
function sentTo(client: Client): Shown {
  const points = dataOf(client, 'point').slice(-60);
  const shares = new Map(dataOf(client, 'price').map(share => [share.symbol, share]));
  const shown: Shown = { prices: {}, charts: {} };
  for (const [symbol, { price, open }] of shares) {
    const change = (price / open - 1) * 100;
    shown.prices[symbol] = `${price.toFixed(2)}${change < 0 ? '▼' : '▲'} ${Math.abs(change).toFixed(2)} %`;
    shown.charts[symbol] = [...points.map(point => point[symbol]), price];
  }
  return shown;
}

/** Resolves when a client has been sent so many more points. */
async function getsPoints(client: Client, count: number): Promise<void> {
  const wanted = dataOf(client, 'point').length + count;
  await client.until(() => dataOf(client, 'point').length >= wanted);
}
