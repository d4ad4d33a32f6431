import type { ChildProcess } from 'node:child_process';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { folderOf, inChromium, poll, pressCtrlC, start, throughProxy } from '../support/example.ts';
import { freePort } from '../support/server.ts';
import { CHROMIUM, describeWith } from '../support/system.ts';

/** What each script of the example serves with, and what Ctrl-C ends it with: to workerd that is no order. */
const runtimes = [
  { script: 'start', name: `Node ${process.versions.node}`, end: [0, null] },
  { script: 'bun', name: /^Bun \d/, end: [0, null] },
  { script: 'deno', name: /^Deno \d/, end: [0, null] },
  { script: 'workers', name: 'Workers', end: [null, 'SIGINT'] },
];

/** Keeps what an EventSource hands to the page's handlers: the ids of reactions. */
const RECORDER = `
  window.heard = [];
  window.EventSource = class extends EventSource {
    constructor(url) {
      super(url);
      this.addEventListener('reaction', ({ lastEventId }) => heard.push(lastEventId));
    }
  }`;

describeWith(CHROMIUM, 'hono-anywhere', () => {
  const newContext = inChromium();
  let port: number;
  let server: ChildProcess;

  describe.each(runtimes)('script $script', ({ script, name, end }) => {
    beforeEach(async () => {
      port = await freePort();
      server = await startExample();
    });
    const startExample = () => start(folderOf('hono-anywhere'), port, {}, script);

    test('two pages agree, and a later page shows earlier reactions', async () => {
      const [a, b] = [await openPage('Ann'), await openPage('Bob')];
      expect(await runtimeOf(a)).toMatch(name);
      await poll(() => here(a)).toBe('2 pages are open.');
      await react(a, '♥');
      await react(b, '★');
      await react(a, '★');
      const latest = ['★ Ann', '★ Bob', '♥ Ann'];
      for (const page of [a, b, await openPage('Eve')]) {
        await poll(() => shown(page)).toEqual(latest);
        await poll(() => totals(page)).toEqual({ '★': '2', '♥': '1' });
      }
      expect(await a.evaluate('heard')).toEqual(await b.evaluate('heard'));
      await b.close();
      await poll(() => here(a)).toBe('2 pages are open.');
    });

    test('a reconnected page receives the events that it missed, once', async () => {
      const { origin, cut, mend } = await throughProxy(port);
      const page = await openPage('Ann', { origin });
      const other = await openPage('Bob');
      await react(page, '♥');
      await poll(() => shown(page)).toEqual(['♥ Ann']);
      cut();
      await page.locator('[data-state="waiting"]').waitFor();
      await react(other, '☘');
      await react(other, '♫');
      await poll(() => shown(other)).toEqual(['♫ Bob', '☘ Bob', '♥ Ann']);
      mend();
      await poll(() => shown(page)).toEqual(['♫ Bob', '☘ Bob', '♥ Ann']);
      await poll(() => totals(page)).toEqual({ '♥': '1', '☘': '1', '♫': '1' });
      expect(await page.evaluate('heard')).toEqual(await other.evaluate('heard'));
    });

    test('Ctrl-C ends the server, and pages start again with the next server', async () => {
      const [a, b] = [await openPage('Ann'), await openPage('Bob')];
      await react(a, '♥');
      for (const page of [a, b]) await poll(() => shown(page)).toEqual(['♥ Ann']);

      expect(await pressCtrlC(server)).toEqual(end);
      for (const page of [a, b]) await page.locator('[data-state="waiting"]').waitFor();
      await b.getByRole('button', { name: '★' }).click();
      await poll(() => b.getByRole('alert').textContent()).toBe('The server cannot be reached.');

      server = await startExample();
      for (const page of [a, b]) {
        await page.locator('[data-state="live"]').waitFor();
        await poll(() => shown(page)).toEqual([]);
        await poll(() => totals(page)).toEqual({});
      }
      await react(b, '☘');
      for (const page of [a, b]) {
        await poll(() => shown(page)).toEqual(['☘ Bob']);
        await poll(() => totals(page)).toEqual({ '☘': '1' });
      }
    });

    test('user input is shown as text, and is bounded', async () => {
      const page = await openPage('<img src="" onerror="x=1">');
      await react(page, '♥');
      await poll(() => shown(page)).toEqual(['♥ <img src="" onerror="x=1']);
      for (const [body, answer] of [
        ['{"symbol":"x","from":"Ann"}', [400, /^Send one of these as "symbol": ♥/]],
        ['{"symbol":"♥"}', [400, /^Send a name/]],
        ['{"symbol":"♥","from":" "}', [400, /^Send a name/]],
        [`{"symbol":"♥","from":"${'x'.repeat(25)}"}`, [400, /^Send a name/]],
        ['null', [400, /^Send one/]],
        ['{', [400, /^Send one/]],
        [`"${'x'.repeat(2_000)}"`, [413, /^Payload Too Large/]],
      ] as const) {
        const response = await fetch(`http://127.0.0.1:${port}/reactions`, { method: 'POST', body });
        expect([response.status, await response.text()]).toEqual([
          answer[0],
          expect.stringMatching(answer[1]),
        ]);
      }
    });
  });

  test('fits a phone, light and dark', async () => {
    port = await freePort();
    await start(folderOf('hono-anywhere'), port);
    for (const colorScheme of ['light', 'dark'] as const) {
      const viewport = { width: 390, height: 844 };
      const page = await openPage('x'.repeat(24), { viewport, isMobile: true, colorScheme });
      await react(page, '☘');
      await poll(async () => (await shown(page)).length).toBeGreaterThan(0);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    }
  });

  async function openPage(from: string, { origin, ...options }: OpenOptions = {}): Promise<Page> {
    const context = await newContext(options);
    await context.addInitScript(RECORDER);
    const page = await context.newPage();
    await page.goto(origin ?? `http://127.0.0.1:${port}`);
    await page.locator('[data-state="live"]').waitFor();
    await page.getByLabel('Your name').fill(from);
    return page;
  }
});

interface OpenOptions extends BrowserContextOptions {
  /** Default: the server's own. */
  origin?: string;
}

/** Resolves when the server has taken it. */
async function react(page: Page, symbol: string): Promise<void> {
  const answer = page.waitForResponse(response => response.url().endsWith('/reactions'));
  await page.getByRole('button', { name: symbol }).click();
  expect((await answer).status()).toBe(204);
}

const runtimeOf = async (page: Page) =>
  (await page.getByRole('status').textContent())?.replace('Live on ', '');

const here = (page: Page) => page.locator('#pages').textContent();

/** Without the time. */
const shown = (page: Page) =>
  page.locator('#reactions li').evaluateAll(items =>
    items.map(item =>
      [...item.childNodes]
        .slice(0, -1)
        .map(node => node.textContent)
        .join(' '),
    ),
  );

/** Of those that there are any of. */
async function totals(page: Page): Promise<Record<string, string>> {
  const all = await page
    .locator('#totals button')
    .evaluateAll(buttons => buttons.map(button => [...button.children].map(child => child.textContent)));
  return Object.fromEntries(all.filter(([, count]) => count !== '0'));
}
