import type { BrowserContextOptions, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { type Client, request } from '../support/client.ts';
import {
  failure,
  folderOf,
  inChromium,
  poll,
  pressCtrlC,
  shareExample,
  start,
  throughProxy,
} from '../support/example.ts';
import { CHROMIUM, describeWith } from '../support/system.ts';

const SHARES = 40;

/** In the place of uPlot: keeps what each share's chart is to draw. */
const CHART_RECORDER = `
  window.charts = {};
  export default class {
    constructor(_options, _data, place) { this.share = place.closest('li').id; }
    setData([, prices]) { charts[this.share] = prices; }
    setSize() {}
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

const EXAMPLE = folderOf('express-prices');
/** What the packages are in this repository; published, they need no tsx. */
const TYPESCRIPT = { NODE_OPTIONS: '--import tsx' };

describeWith(CHROMIUM, 'express-prices', () => {
  const newContext = inChromium();
  const example = shareExample(EXAMPLE, TYPESCRIPT);

  test('shows every share with its price, its change and a chart, and updates them', async () => {
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
    expect(await page.locator('header').textContent()).toContain('The shares are made up');
  });

  test('a later page receives the price and the past of every share', async () => {
    const page = await openPage({ recorded: true });
    await page.waitForFunction(`heard.length > ${SHARES}`);
    const first = await page.evaluate<string[]>(`heard.slice(0, ${SHARES})`);
    expect(new Set(first).size).toBe(SHARES);
    expect(await symbols(page)).toEqual([...first].sort());
    // Sixty points, and the price of now.
    await poll(() => chartLengths(page)).toEqual(Array(SHARES).fill(61));
  });

  test('two pages agree with the published prices, and Ctrl-C ends the server', async () => {
    const client = await connect();
    const [a, b] = [await openPage({ recorded: true }), await openPage({ recorded: true })];
    for (const page of [a, b]) await showsState(page, 'Live');
    await getsPoints(client, 2);

    expect(await pressCtrlC(example.server)).toEqual([0, null]);
    for (const page of [a, b]) {
      await showsState(page, 'Reconnecting');
      await poll(() => shown(page)).toEqual(sentTo(client));
    }
  });

  test('resumes after an aborted connection', async () => {
    const { origin, cut, mend } = await throughProxy(example.port);
    const client = await connect();
    const page = await openPage({ recorded: true, origin });
    await showsState(page, 'Live');
    await mark(page);
    cut();
    await showsState(page, 'Reconnecting');
    await getsPoints(client, 1);
    mend();
    await showsState(page, 'Live');
    await getsPoints(client, 1);
    await pressCtrlC(example.server);
    await poll(() => shown(page)).toEqual(sentTo(client));
    expect(await page.locator('.marked').count()).toBe(SHARES);
  });

  test('starts again with a restarted server', async () => {
    const page = await openPage({ recorded: true });
    await showsState(page, 'Live');
    await mark(page);
    await pressCtrlC(example.server);
    await showsState(page, 'Reconnecting');

    const server = await start(EXAMPLE, example.port, { ...TYPESCRIPT, SEED: '2' });
    const client = await connect();
    await showsState(page, 'Live');
    await poll(() => page.locator('.marked').count()).toBe(0);
    await getsPoints(client, 1);
    await pressCtrlC(server);
    await poll(() => shown(page)).toEqual(sentTo(client));
  });

  test('shows that there is no stream', async () => {
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
    const names = page.locator('li p');
    expect(await names.evaluateAll(all => all.every(name => name.scrollWidth <= name.clientWidth))).toBe(
      true,
    );
  });

  test('prints which port is in use', async () => {
    const [status, output] = await failure('express-prices/server.js', { PORT: String(example.port) });
    expect(status).toBe(1);
    expect(output).toContain(`:${example.port}. Set PORT`);
  });

  const connect = () => request(`http://127.0.0.1:${example.port}`, '/events');

  async function openPage({ recorded, blocked, origin, ...options }: PageOptions = {}): Promise<Page> {
    const context = await newContext(options);
    if (recorded) {
      await context.addInitScript(EVENT_RECORDER);
      await context.route('**/uPlot.esm.js', route =>
        route.fulfill({ contentType: 'text/javascript', body: CHART_RECORDER }),
      );
    }
    if (blocked) await context.route('**/events', route => route.fulfill({ status: 502 }));
    const page = await context.newPage();
    await page.goto(origin ?? `http://127.0.0.1:${example.port}`);
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
