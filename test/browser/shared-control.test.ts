import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHub, type EventStream } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import type { BrowserContext, Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/client.ts';
import { clientFiles } from '../support/client-files.ts';
import { respondToControl } from '../support/control-route.ts';
import { inChromium } from '../support/example.ts';
import { listen } from '../support/server.ts';
import { CHROMIUM, describeWith } from '../support/system.ts';

/** How often the leader is lost. */
const ROUNDS = Number(process.env.ROUNDS ?? 6);

const PAGE = `<!doctype html><title>Tab</title><link rel="icon" href="data:,"><script type="module">
  import { connect } from '/client.js';
  window.seen = [];
  const tab = new URLSearchParams(location.search).get('tab');
  window.events = connect('/events', {
    shared: true,
    control: '/control',
    headers: { 'x-tab': tab },
    retry: { initial: 50, max: 200 },
  });
  events.on('message', ({ channel, data }) => seen.push([channel, data]));
  events.on('reset', ({ data }) => seen.push(['reset: ' + data.reason, data.channels]));
</script>`;

type Seen = [channel: string, data: number | string[]][];

const evaluate = <T>(page: Page, expression: string) => page.evaluate<T>(expression);
const seenBy = (page: Page) => evaluate<Seen>(page, 'seen');
const subscribe = (page: Page, ...channels: string[]) =>
  evaluate<void>(page, `events.subscribe(${JSON.stringify(channels)})`);
const unsubscribe = (page: Page, channel: string) =>
  evaluate<void>(page, `events.unsubscribe(${JSON.stringify(channel)})`);

/** A site whose streams follow `all`, and what tabs ask for. */
async function serve() {
  const hub = createHub({
    heartbeat: 250,
    channelField: true,
    history: { events: 10_000 },
    authorize: () => true,
  });
  const files = await clientFiles();
  const streams = new Map<EventStream, string>();
  const sockets = new Set<IncomingMessage['socket']>();
  let controls = 0;
  const { origin, kill } = await listen(async (req: IncomingMessage, res: ServerResponse) => {
    const path = req.url ?? '';
    if (path === '/events') {
      sockets.add(req.socket);
      const stream = openStream(req, res, { hub, client: 'ann', retry: 50 }).subscribe('all');
      res.setHeader('tidings-stream', stream.id);
      streams.set(stream, String(req.headers['x-tab']));
      stream.closed.then(() => streams.delete(stream));
    } else if (path === '/control') {
      controls += 1;
      await respondToControl(hub, 'ann', req, res);
    } else {
      const script = files.get(path);
      res.setHeader('content-type', script === undefined ? 'text/html' : 'text/javascript');
      res.end(script ?? PAGE);
    }
  });
  onTestFinished(kill);
  const published = new Map<string, number>();
  return {
    hub,
    origin,
    streams,
    published,
    controls: () => controls,
    /** Breaks the connections of all streams. */
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
      sockets.clear();
    },
    /** Resolves when there is one stream. Its tab. */
    async leader() {
      await eventually(() => streams.size === 1);
      return Number([...streams.values()][0]);
    },
    subscribers: (channel: string) => hub.channel(channel).subscriberCount,
    /** Publishes the next number of each channel. */
    async publish(...channels: string[]) {
      for (const channel of channels) {
        const number = published.get(channel) ?? 0;
        published.set(channel, number + 1);
        await hub.publish(channel, number);
      }
    },
  };
}

type Site = Awaited<ReturnType<typeof serve>>;

async function openTab(context: BrowserContext, { origin }: Site, tab: number): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${origin}/?tab=${tab}`);
  await expect.poll(() => evaluate(page, 'events.state')).toBe('open');
  return page;
}

async function openTabs(context: BrowserContext, site: Site, count: number): Promise<Page[]> {
  const pages: Page[] = [];
  for (let tab = 0; tab < count; tab++) pages.push(await openTab(context, site, tab));
  await site.leader();
  return pages;
}

/** Resolves when a tab has received the last number of a channel. */
const has = (page: Page, site: Site, channel: string) =>
  expect
    .poll(async () => (await seenBy(page)).filter(([name]) => name === channel).at(-1)?.[1])
    .toBe((site.published.get(channel) ?? 0) - 1);

type Loss = (page: Page, site: Site, reopen: () => Promise<Page>) => Promise<Page>;

/** Each way to lose the connection of the leader. Resolves with the tab's page afterwards. */
const losses: Loss[] = [
  async function close(page, _, reopen) {
    await page.close();
    return reopen();
  },
  async function cut(page, site) {
    site.cut();
    return page;
  },
  /** Another tab takes the lock. */
  async function block(page) {
    await evaluate(page, `{ const end = Date.now() + 1_500; while (Date.now() < end); }`);
    return page;
  },
];

/** Where numbers do not follow each other. After NaN, any may follow. */
const breaksOf = (numbers: number[]) =>
  numbers
    .slice(1)
    .map((number, n) => [numbers[n] as number, number] as const)
    .filter(([before, number]) => before + 1 !== number && !Number.isNaN(before + number))
    .map(([before, number]) => `${before}, ${number}`);

/** What a tab has received of each channel. NaN: a reset, after which events may come again. */
async function byChannel(page: Page): Promise<Record<string, number[]>> {
  const received: Record<string, number[]> = {};
  const add = (channel: string, number: number) => {
    const numbers = received[channel] ?? [];
    received[channel] = numbers;
    numbers.push(number);
  };
  for (const [channel, data] of await seenBy(page)) {
    if (typeof data === 'number') add(channel, data);
    else for (const name of [channel, ...data]) add(name, Number.NaN);
  }
  return received;
}

describeWith(CHROMIUM, 'tabs that share a connection and change its channels', () => {
  const open = inChromium();

  test('share one stream with the channels of all tabs, and each tab receives its own channels', async () => {
    const site = await serve();
    const [a, b, c] = (await openTabs(await open(), site, 3)) as [Page, Page, Page];
    await Promise.all([subscribe(a, 'a', 'both'), subscribe(b, 'b', 'both')]);
    expect(site.streams.size).toBe(1);
    await site.publish('a', 'b', 'both', 'all');
    for (const page of [a, b, c]) await has(page, site, 'all');
    expect(await byChannel(a)).toEqual({ a: [0], both: [0], all: [0] });
    expect(await byChannel(b)).toEqual({ b: [0], both: [0], all: [0] });
    expect(await byChannel(c)).toEqual({ all: [0] });

    await unsubscribe(a, 'both');
    await unsubscribe(b, 'b');
    expect([site.subscribers('both'), site.subscribers('b')]).toEqual([1, 0]);
    await site.publish('a', 'b', 'both', 'all');
    for (const page of [a, b, c]) await has(page, site, 'all');
    expect(await byChannel(a)).toEqual({ a: [0, 1], both: [0], all: [0, 1] });
    expect(await byChannel(b)).toEqual({ b: [0], both: [0, 1], all: [0, 1] });
    expect(await byChannel(c)).toEqual({ all: [0, 1] });
    expect(site.streams.size).toBe(1);
  });

  test('unsubscribe their channels when they are closed or killed, unless another tab has them', async () => {
    const site = await serve();
    const pages = await openTabs(await open(), site, 4);
    const leader = await site.leader();
    const [closed, killed, left] = pages.filter((_, tab) => tab !== leader) as [Page, Page, Page];
    await subscribe(closed, 'closed', 'kept');
    await subscribe(killed, 'killed', 'kept');
    await subscribe(left, 'left', 'kept');
    await subscribe(pages[leader] as Page, 'kept');
    expect(['closed', 'killed', 'left', 'kept'].map(site.subscribers)).toEqual([1, 1, 1, 1]);
    await evaluate(closed, 'events.close()');
    const session = await killed.context().newCDPSession(killed);
    session.send('Page.crash').catch(() => {});
    await left.goto('about:blank');
    await eventually(() => ['closed', 'killed', 'left'].every(channel => site.subscribers(channel) === 0));
    expect(site.subscribers('kept')).toBe(1);
    expect(site.streams.size).toBe(1);
    expect(await evaluate(closed, 'events.subscribe("x").catch(error => error.message)')).toMatch(/closed/);
    await evaluate(pages[leader] as Page, 'events.close()');
    await eventually(() => site.streams.size === 0);
  });

  test('receive each event of their channels once and in order while leaders are lost', {
    timeout: 120_000 + ROUNDS * 5_000,
  }, async () => {
    const site = await serve();
    const context = await open();
    const pages = await openTabs(context, site, 3);
    const channels = ['a', 'b', 'c', 'all'];
    // Each tab follows two of three, from its first number on.
    const followed = [
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'a'],
    ];
    const firsts: Record<string, number>[] = [{}, {}, {}];
    const follow = async (tab: number) => {
      const names = followed[tab] as string[];
      await subscribe(pages[tab] as Page, ...names);
      firsts[tab] = Object.fromEntries(names.map(name => [name, site.published.get(name) ?? 0]));
    };
    await Promise.all([0, 1, 2].map(follow));
    let isOver = false;
    const publishing = (async () => {
      while (!isOver) {
        await site.publish(...channels);
        await new Promise(resolve => setTimeout(resolve, 4));
      }
    })();
    for (let round = 0; round < ROUNDS; round++) {
      const tab = await site.leader();
      const page = pages[tab] as Page;
      const [lose] = losses.slice(round % losses.length) as [Loss];
      pages[tab] = await lose(page, site, () => openTab(context, site, tab));
      if (pages[tab] !== page) await follow(tab);
    }
    isOver = true;
    await publishing;
    await site.publish(...channels);
    for (const [tab, page] of pages.entries()) {
      for (const channel of [...(followed[tab] as string[]), 'all']) await has(page, site, channel);
      // A leader that is lost while older events arrive leaves the others unsure of what the route's channels had.
      const { all = [], 'reset: interrupted': _, ...received } = await byChannel(page);
      expect(Object.keys(received).sort()).toEqual(followed[tab]?.toSorted());
      for (const [channel, got] of Object.entries({ ...received, all })) {
        expect(breaksOf(got), channel).toEqual([]);
        if (channel !== 'all') expect(got[0]).toBeLessThanOrEqual(firsts[tab]?.[channel] ?? 0);
      }
    }
    await site.leader();
    const sent = site.controls();
    await site.publish(...channels);
    expect(site.controls()).toBe(sent);
  });

  test('reject when the server refuses a change', async () => {
    const site = await serve();
    const pages = await openTabs(await open(), site, 2);
    const leader = await site.leader();
    const other = pages[1 - leader] as Page;
    const name = JSON.stringify('\0hub');
    const refused = evaluate(other, `events.subscribe(${name}).then(() => 'stored', error => error.message)`);
    expect(await refused).toMatch(/400/);
    await subscribe(other, 'a');
    await site.publish('a');
    await has(other, site, 'a');
    expect(await byChannel(pages[leader] as Page)).toEqual({});
  });
});
