import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHub, type EventStream } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import type { BrowserContext, Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/client.ts';
import { clientFiles } from '../support/client-files.ts';
import { inChromium } from '../support/example.ts';
import { listen } from '../support/server.ts';
import { CHROMIUM, describeWith } from '../support/system.ts';

/** How often the leader is lost; and the events that are published meanwhile. */
const ROUNDS = Number(process.env.ROUNDS ?? 10);
const EVENTS = 60;
const TABS = 9;

const PAGE = `<!doctype html><title>Tab</title><link rel="icon" href="data:,"><script type="module">
  import { connect } from '/client.js';
  window.seen = [];
  const tab = new URLSearchParams(location.search).get('tab');
  const options = { shared: true, headers: { 'x-tab': tab }, retry: { initial: 50, max: 200 } };
  window.events = connect('/events', options);
  events.on('message', ({ data }) => seen.push(data));
  events.on('reset', () => seen.push('reset'));
</script>`;

interface Seen {
  seen: (number | 'reset')[];
  events: { state: string; close(options?: object): void };
}
const seenBy = (page: Page) => page.evaluate(() => (globalThis as unknown as Seen).seen);
const stateOf = (page: Page) => page.evaluate(() => (globalThis as unknown as Seen).events.state);

/** A site that knows which tab has which stream. */
async function serve(heartbeat: number | false = 250) {
  const hub = createHub({ heartbeat });
  const files = await clientFiles();
  const streams = new Map<EventStream, string>();
  const { origin, kill } = await listen((req: IncomingMessage, res: ServerResponse) => {
    const path = req.url ?? '';
    if (path === '/events') {
      const stream = openStream(req, res, { hub, retry: 50 }).subscribe('news');
      streams.set(stream, String(req.headers['x-tab']));
      stream.closed.then(() => streams.delete(stream));
      return;
    }
    const script = files.get(path);
    res.setHeader('content-type', script === undefined ? 'text/html' : 'text/javascript');
    res.end(script ?? PAGE);
  });
  onTestFinished(kill);
  return { hub, origin, streams, tabs: () => [...streams.values()] };
}

type Site = Awaited<ReturnType<typeof serve>>;

async function openTab(context: BrowserContext, { origin }: Site, tab: number): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${origin}/?tab=${tab}`);
  return page;
}

/** Each way to lose the leader. Resolves with the tab's page afterwards. */
const losses: Record<string, (page: Page, reopen: () => Promise<Page>) => Promise<Page>> = {
  async 'is killed'(page, reopen) {
    const crashed = page.waitForEvent('crash');
    const session = await page.context().newCDPSession(page);
    session.send('Page.crash').catch(() => {});
    await crashed;
    await page.close();
    return reopen();
  },
  async 'is closed'(page, reopen) {
    await page.close();
    return reopen();
  },
  async 'is navigated'(page) {
    await page.goto('about:blank');
    await page.goBack();
    return page;
  },
  async 'is frozen'(page) {
    const session = await page.context().newCDPSession(page);
    await session.send('Page.setWebLifecycleState', { state: 'frozen' });
    await new Promise(resolve => setTimeout(resolve, 300));
    await session.send('Page.setWebLifecycleState', { state: 'active' });
    return page;
  },
  async 'is blocked'(page) {
    await page.evaluate(() => {
      const end = Date.now() + 1_500;
      while (Date.now() < end);
    });
    return page;
  },
};

describeWith(CHROMIUM, 'a connection that tabs share', () => {
  const open = inChromium();

  test(`${TABS} tabs have one stream, and every event once and in order, however the leader is lost`, {
    timeout: 120_000 + ROUNDS * 10_000,
  }, async () => {
    const site = await serve();
    const context = await open();
    const pages: Page[] = [];
    for (let tab = 0; tab < TABS; tab++) pages.push(await openTab(context, site, tab));
    await eventually(() => site.streams.size === 1);
    let published = 0;
    const publish = async (count: number) => {
      for (let n = 0; n < count; n++) {
        await site.hub.publish('news', published++);
        await new Promise(resolve => setTimeout(resolve, 5));
      }
    };
    const kinds = Object.values(losses);
    for (let round = 0; round < ROUNDS; round++) {
      await eventually(() => site.streams.size > 0);
      const tab = Number(site.tabs().at(-1));
      const lose = kinds[round % kinds.length] as (typeof kinds)[0];
      const publishing = publish(EVENTS);
      await new Promise(resolve => setTimeout(resolve, Math.random() * 200));
      pages[tab] = await lose(pages[tab] as Page, () => openTab(context, site, tab));
      await publishing;
    }
    await eventually(() => site.streams.size === 1);
    const last = published;
    await publish(1);
    for (const page of pages) {
      await expect.poll(async () => (await seenBy(page)).at(-1)).toBe(last);
      const seen = await seenBy(page);
      const parts = seen.join().split(/,?reset,?/);
      for (const part of parts) {
        const numbers = part.split(',').map(Number);
        expect(numbers).toEqual(numbers.map((_, n) => (numbers[0] as number) + n));
      }
      expect(parts).toHaveLength(1);
    }
    await eventually(() => site.streams.size === 1);
  });

  test('a tab that was the leader for a moment, with a clock that is ahead, does not silence the leader', async () => {
    const site = await serve(false);
    const context = await open();
    const pages = [await openTab(context, site, 0), await openTab(context, site, 1)];
    await eventually(() => site.streams.size === 1);
    await expect.poll(() => Promise.all(pages.map(stateOf))).toEqual(['open', 'open']);
    const other = await context.newPage();
    await other.goto(`${site.origin}/client.js`);
    // It has lost the lock at once, and joins.
    for (const type of ['elected', 'joined']) {
      const message = JSON.stringify({ type, term: Date.now() + 3_600_000 });
      await other.evaluate(`new BroadcastChannel('tidings:${site.origin}/events').postMessage(${message})`);
    }
    for (let n = 0; n < 3; n++) await site.hub.publish('news', n);
    for (const page of pages) await expect.poll(() => seenBy(page)).toEqual([0, 1, 2]);
    expect(site.streams.size).toBe(1);
  });

  test('`close({ everywhere: true })` closes the connection of all tabs', async () => {
    const site = await serve();
    const context = await open();
    const pages = [await openTab(context, site, 0), await openTab(context, site, 1)];
    await eventually(() => site.streams.size === 1);
    await expect.poll(() => Promise.all(pages.map(stateOf))).toEqual(['open', 'open']);
    const [, other] = pages as [Page, Page];
    await other.evaluate(() => (globalThis as unknown as Seen).events.close({ everywhere: true }));
    await eventually(() => site.streams.size === 0);
    await expect.poll(() => Promise.all(pages.map(stateOf))).toEqual(['ended', 'ended']);
    const locks = await other.evaluate('navigator.locks.query()');
    expect(locks).toEqual({ held: [], pending: [] });
  });
});
