import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { REDIS } from '../brokers/redis-server.ts';
import { failure, folderOf, inChromium, poll, pressCtrlC, shareExample, start } from '../support/example.ts';
import { freePort } from '../support/server.ts';
import { CHROMIUM, describeWith } from '../support/system.ts';

const NGINX = '/usr/sbin/nginx';
const ROOM = folderOf('multi-node');
const REDIS_OF_ITS_OWN = { REDIS_URL: '' };

/** The client, and what it hands to the page's handlers: each message by its id and its text. */
const RECORDER = `
  import { connect as open } from '/tidings/client.js?original';
  window.heard = [];
  export function connect(...args) {
    const events = open(...args);
    events.on('message', ({ id, data }) => heard.push([id, data.text]));
    return events;
  }`;

const missing = [REDIS, NGINX].find(program => !existsSync(program));

describeWith(missing ?? CHROMIUM, 'multi-node', () => {
  const newContext = inChromium();
  let port: number;

  describe('a room', () => {
    const example = shareExample(ROOM, REDIS_OF_ITS_OWN);
    beforeEach(() => {
      port = example.port;
    });

    test('pages on both nodes show the same', async () => {
      const [a, b] = await openOnBoth();
      await say(a, 'from a');
      await say(b, 'from b');
      for (const page of [a, b]) await poll(() => sorted(shown(page))).toEqual(['from a', 'from b']);
      expect(await shown(a)).toEqual(await shown(b));

      await vote(a, 'Noodles');
      await vote(b, 'Curry');
      for (const page of [a, b]) await poll(() => votes(page)).toEqual(['0', '1', '1', '0']);
      await vote(a, 'Curry');
      for (const page of [a, b, await openPage()]) {
        await poll(() => votes(page)).toEqual(['0', '0', '2', '0']);
      }
    });

    test('fits a phone, light and dark', async () => {
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await openPage({ viewport: { width: 360, height: 740 }, isMobile: true, colorScheme });
        await say(page, `${'long'.repeat(40)} and more`);
        await poll(async () => (await shown(page)).length).toBeGreaterThan(0);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      }
    });

    test('prints which programs are missing and how to install them, and which port is in use', async () => {
      const [status, output] = await failure('multi-node/run.ts', { REDIS_URL: '', PATH: '/nowhere' });
      expect(status).toBe(1);
      expect(output).toMatch(/^Missing: .*redis-server.*apt-get install .*redis-server/s);
      const [secondStatus, secondOutput] = await failure('multi-node/run.ts', {
        REDIS_URL: '',
        PORT: String(port),
      });
      expect(secondStatus).toBe(1);
      expect(secondOutput).toContain(`Cannot listen on port ${port}`);
    });
  });

  describe('a room of one test', () => {
    let room: ChildProcess;
    beforeEach(async () => {
      port = await freePort();
      room = await startRoom();
    });
    const startRoom = () => start(ROOM, port, REDIS_OF_ITS_OWN);

    test('a page resumes at the other node when its own is killed, without gaps or duplicates', async () => {
      const [a, b] = await openOnBoth();
      const posted = Array.from({ length: 30 }, (_, number) => `message ${number}`);
      for (const text of posted.slice(0, 5)) await say(a, text);
      await poll(async () => (await shown(b)).length).toBe(5);

      const [before, other] = [await nodeOf(a), await nodeOf(b)];
      const saying = (async () => {
        for (const text of posted.slice(5, 25)) await say(b, text);
      })();
      await poll(async () => (await shown(a)).length).toBeGreaterThan(7);
      await killNodeOf(a);
      await saying;
      await a.locator(`#state:text-is("Live on ${other}")`).waitFor();
      for (const text of posted.slice(25)) await say(a, text);

      for (const page of [a, b]) {
        await poll(() => sorted(shown(page))).toEqual([...posted].sort());
      }
      expect(await shown(a)).toEqual(await shown(b));
      const heard = await a.evaluate<[id: string, text: string][]>('heard');
      expect(new Set(heard.map(([id]) => id)).size).toBe(heard.length);
      expect(heard).toEqual(await b.evaluate('heard'));
      await poll(() => notice(a)).toMatch(
        new RegExp(
          `^${other} took over from ${before}\\. The page received \\d+ messages? from the meantime\\. None is missing\\.$`,
        ),
      );
      await poll(() => notice(b)).toBe(`This page connected to ${other}.`);
    });

    test('a page shows how many messages it missed, also at a node without other pages', async () => {
      const page = await openPage();
      await say(page, 'before');
      await poll(() => shown(page)).toEqual(['before']);
      await page.context().route('**/events', route => route.abort());
      await killNodeOf(page);
      for (const text of ['one', 'two', 'three']) await post({ id: text, from: 'Somebody', text });
      await page.context().unroute('**/events');
      await poll(() => notice(page)).toMatch(
        /took over from .* The page received 3 messages from the meantime\. None is missing\.$/,
      );
      expect(await shown(page)).toEqual(['before', 'one', 'two', 'three']);
    });

    test('a page waits for a node when none runs, and sends its pending posts later', async () => {
      const [a, b] = await openOnBoth();
      const c = await openPage();
      await say(a, 'before');
      for (const page of [a, b, c]) await poll(() => shown(page)).toEqual(['before']);
      // It comes last, to a node where another one is already, and when its own is back.
      await a.context().route('**/events', route => route.abort());
      await Promise.all([killNodeOf(a), killNodeOf(b)]);
      for (const page of [a, b, c]) await page.locator('#state:text-is("Reconnecting")').waitFor();
      await say(a, 'in between');
      for (const page of [b, c]) await comesBack(page);
      await b.locator('#nodes .gone').waitFor({ state: 'detached' });
      await a.context().unroute('**/events');
      await comesBack(a, /1 message/);
    });

    test('user input is shown as text', async () => {
      const page = await openPage();
      const text = '<img src="" onerror="window.isForged = true"><b>&amp;';
      await page.locator('[name="from"]').fill(text.slice(0, 40));
      await say(page, text);
      await poll(() => shown(page)).toEqual([text]);
      expect(await page.locator('#messages li b').textContent()).toBe(text.slice(0, 40));
      expect(await page.evaluate('window.isForged')).toBeUndefined();
    });

    test('Ctrl-C ends all processes; pages start again with the next ones', async () => {
      const page = await openPage();
      await say(page, 'hello');
      await poll(() => shown(page)).toEqual(['hello']);
      const processes = [room.pid as number, ...descendants(room.pid as number)];
      // Redis, two nodes, nginx and its worker, and the process that started them.
      expect(processes.length).toBeGreaterThanOrEqual(6);

      expect(await pressCtrlC(room)).toEqual([0, null]);
      await poll(() => processes.filter(isAlive)).toEqual([]);
      await page.locator('#state:text-is("Reconnecting")').waitFor();

      room = await startRoom();
      await page.locator('[data-state="live"]').waitFor();
      expect(await shown(page)).toEqual([]);
      await poll(() => notice(page)).toMatch(/missed events that are no longer retained/);
    });
  });

  async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await newContext(options);
    await context.route('**/tidings/client.js', route =>
      route.fulfill({ contentType: 'text/javascript', body: RECORDER }),
    );
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.locator('[data-state="live"]').waitFor();
    return page;
  }

  async function post(message: object): Promise<void> {
    const { status } = await fetch(`http://127.0.0.1:${port}/messages`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(message),
    });
    expect(status).toBe(204);
  }

  /** nginx sends the next page to the node that has fewer. */
  async function openOnBoth(): Promise<[Page, Page]> {
    const [a, b] = [await openPage(), await openPage()];
    expect(await sorted(Promise.all([a, b].map(nodeOf)))).toEqual(['node-1', 'node-2']);
    return [a, b];
  }
});

async function say(page: Page, text: string): Promise<void> {
  await page.locator('[name="text"]').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

async function comesBack(page: Page, missed = /\d+ messages?/): Promise<void> {
  await poll(() => shown(page)).toEqual(['before', 'in between']);
  await poll(() => notice(page)).toMatch(
    new RegExp(
      `^(Back on|.* took over from) .* The page received ${missed.source} from the meantime\\. None is missing\\.$`,
    ),
  );
}

const vote = (page: Page, choice: string) => page.getByRole('button', { name: choice }).click();

const votes = (page: Page) =>
  page
    .locator('#votes button')
    .evaluateAll(buttons => buttons.map(button => button.getAttribute('data-count')));

const shown = (page: Page) =>
  page.locator('#messages li').evaluateAll(items => items.map(item => item.lastChild?.textContent));

const sorted = async <T>(list: Promise<T[]>) => (await list).sort();

const notice = (page: Page) => page.locator('#notice').textContent();

const nodeOf = async (page: Page) => (await page.locator('#state').textContent())?.replace('Live on ', '');

/** Does what the page says. */
async function killNodeOf(page: Page): Promise<void> {
  const command = await page.locator('#kill').textContent();
  process.kill(Number(/^kill -9 (\d+)$/.exec(command ?? '')?.[1]), 'SIGKILL');
}

function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.map(Number).flatMap(child => [child, ...descendants(child)]);
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}
