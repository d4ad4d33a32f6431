import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { request } from '../support/client.ts';
import {
  folderOf,
  inChromium,
  openWindow,
  poll,
  pressCtrlC,
  start,
  throughProxy,
} from '../support/example.ts';
import { freePort } from '../support/server.ts';
import { CHROMIUM, describeWith } from '../support/system.ts';

/** The client, and what it hands to the page's handlers: the name of the stream, and the texts of posts. */
const RECORDER = `
  import { connect as open } from '/tidings/client.js?original';
  window.heard = [];
  export function connect(...args) {
    const events = open(...args);
    events.on('stream', ({ data }) => { window.stream = data; });
    events.on('post', ({ data }) => heard.push(data.text));
    return events;
  }`;

describeWith(CHROMIUM, 'koa-timeline', () => {
  let folder: string;
  const newContext = inChromium();
  let port: number;
  let server: ChildProcess;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'timeline-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    port = await freePort();
    server = await startExample();
  });

  test('a post appears in every page of its room, and is not sent to the tab of its author', async () => {
    const ada = await enter('ada');
    const second = await openPage(ada.context());
    const bob = await enter('bob');
    const elsewhere = await openPage(bob.context(), { room: 'garden' });
    await post(ada, 'one');
    await post(bob, 'two');
    await post(ada, 'three');
    for (const page of [ada, second, bob]) await poll(() => shown(page)).toEqual(['three', 'two', 'one']);
    expect(await ada.evaluate('heard')).toEqual(['two']);
    expect(await second.evaluate('heard')).toEqual(['one', 'two', 'three']);
    expect(await bob.evaluate('heard')).toEqual(['one', 'three']);

    await post(elsewhere, 'in the garden');
    await poll(() => shown(elsewhere)).toEqual(['in the garden']);
    await post(ada, 'four');
    await poll(() => shown(bob)).toEqual(['four', 'three', 'two', 'one']);
    const late = await openPage(bob.context());
    await poll(() => shown(late)).toEqual(['four', 'three', 'two', 'one']);
  });

  test('a mention reaches only the mentioned user, in every room', async () => {
    const ada = await enter('ada');
    const bob = await enter('bob');
    const away = await openPage(bob.context(), { room: 'garden' });
    await post(ada, '@Bob @bob, and ada@bob.example: @ada, @nobody');
    await post(ada, 'about bob');
    for (const page of [bob, away, await openPage(bob.context())]) {
      await poll(() => shown(page, 'mentions')).toEqual(['@Bob @bob, and ada@bob.example: @ada, @nobody']);
    }
    expect(await shown(ada, 'mentions')).toEqual([]);
    expect(await bob.locator('#posts mark').allTextContents()).toEqual(['@Bob', '@bob']);
  });

  test('lists each connected user once, however many tabs they have', async () => {
    const ada = await enter('ada');
    await poll(() => here(ada)).toEqual(['ada (you)']);
    const bob = await enter('bob');
    const second = await openPage(bob.context());
    await poll(() => here(ada)).toEqual(['ada (you)', 'bob']);
    await poll(() => here(second)).toEqual(['ada', 'bob (you)']);
    const carl = await enter('carl');
    await bob.close();
    await carl.close();
    await poll(() => here(ada)).toEqual(['ada (you)', 'bob']);
    await second.close();
    await poll(() => here(ada)).toEqual(['ada (you)']);
  });

  test('a reconnected page receives the posts that it missed, once', async () => {
    const { origin, cut, mend } = await throughProxy(port);
    const ada = await enter('ada');
    const bob = await enter('bob', { origin });
    await post(ada, 'before');
    await poll(() => shown(bob)).toEqual(['before']);
    cut();
    await showsState(bob, 'waiting');
    for (const text of ['one', 'two @bob', 'three']) await post(ada, text);
    mend();
    await showsState(bob, 'live');
    await poll(() => shown(bob)).toEqual(['three', 'two @bob', 'one', 'before']);
    expect(await bob.evaluate('heard')).toEqual(['before', 'one', 'two @bob', 'three']);
    expect(await shown(bob, 'mentions')).toEqual(['two @bob']);
    expect(await bob.locator('#notice').isVisible()).toBe(false);
  });

  test('a page that has slept reconnects, and resumes after its last event', async () => {
    const context = await newContext();
    const streams: (string | undefined)[] = [];
    context.on('request', request => {
      if (request.url().endsWith('/events')) streams.push(request.headers()['last-event-id']);
    });
    const page = await context.newPage();
    await page.clock.install();
    await page.goto(url());
    await logIn(page, 'ada');
    await post(page, 'before');
    await poll(() => shown(page)).toEqual(['before']);
    await poll(() => here(page)).toEqual(['ada (you)']);
    await page.clock.fastForward('20:00');
    await poll(() => streams.length).toBe(2);
    expect(streams).toEqual([undefined, expect.stringMatching(/./)]);
    await showsState(page, 'live');
    const bob = await enter('bob');
    await post(bob, 'after');
    await poll(() => shown(page)).toEqual(['after', 'before']);
    expect(await page.locator('#notice').isVisible()).toBe(false);
  });

  test('Ctrl-C ends the server; the next server keeps the logins, and pages resume', async () => {
    const ada = await enter('ada');
    await post(ada, 'before');
    const bob = await logInByFetch('bob');
    const carl = await enter('carl');
    await poll(() => here(ada)).toEqual(['ada (you)', 'carl']);
    expect(await pressCtrlC(server)).toEqual([0, null]);
    await showsState(ada, 'waiting');
    await carl.close();

    // What is posted to another server, on the same database, is sent by the first one, too.
    const own = port;
    port = await freePort();
    server = await startExample();
    const { status } = await send('/rooms/lobby/posts', { text: 'in between @ada' }, bob);
    expect(status).toBe(201);
    expect(await pressCtrlC(server)).toEqual([0, null]);
    port = own;
    server = await startExample();
    await showsState(ada, 'live');
    await poll(() => shown(ada)).toEqual(['in between @ada', 'before']);
    await poll(() => shown(ada, 'mentions')).toEqual(['in between @ada']);
    // Nothing was reloaded.
    expect(await ada.evaluate('heard')).toEqual(['in between @ada']);
    expect(await ada.locator('#notice').textContent()).toBe('');
    await poll(() => here(ada)).toEqual(['ada (you)']);
    await post(ada, 'after');
    await poll(() => shown(ada)).toEqual(['after', 'in between @ada', 'before']);
  });

  test('user input is shown as text', async () => {
    const ada = await enter('ada');
    const bob = await enter('bob');
    const text =
      '<img src="" onerror="window.isForged = true">&amp;\ndata: {}\n\nevent: mention\ndata: {"id":1}';
    await send('/rooms/lobby/posts', { text }, await cookieOf(ada));
    for (const page of [ada, bob]) await poll(() => shown(page)).toEqual([text]);
    await post(ada, `${'\n'.repeat(200)}high${' \n'.repeat(100)}tower`);
    await poll(async () => (await shown(bob))[0]).toBe('high \n\ntower');
    expect(await bob.evaluate('window.isForged')).toBeUndefined();
    expect(await shown(bob, 'mentions')).toEqual([]);
  });

  test('malicious requests are refused, with the reason', async () => {
    const bob = await enter('bob');
    const eve = await logInByFetch('eve');
    const refused = async (expected: [status: number, reason: RegExp], answer: Promise<Response>) => {
      const { status } = await answer;
      expect([status, await (await answer).text()]).toEqual([
        expected[0],
        expect.stringMatching(expected[1]),
      ]);
    };
    const posts = '/rooms/lobby/posts';

    for (const name of [
      '',
      'x',
      'Ada',
      '1st',
      'a'.repeat(21),
      'a\nb',
      'bob:x',
      '<b>',
      'ädä',
      '../bob',
      42,
      null,
    ]) {
      await refused([400, /^(A name has 2 to 20 letters|Send JSON)/], send('/login', { name }));
    }
    await refused([409, /^bob is taken/], send('/login', { name: 'bob' }));

    const [own = '', signature = ''] = eve.split('; ');
    for (const forged of ['', 'name=bob', `name=bob; ${signature}`, `${own}; name.sig=AAAA`, own]) {
      await refused([401, /^Choose a name first/], send(posts, { text: 'as bob' }, forged));
      await refused([401, /^Choose a name first/], ask('/rooms/lobby/events', forged));
    }

    for (const room of [
      'attic',
      'lobby%0aevents',
      'user:bob',
      '%2e%2e',
      'lobby%01',
      '__proto__',
      '🚪',
      'LOBBY',
    ]) {
      await refused([404, /no such room|^Not Found/], ask(`/rooms/${room}/events`, eve));
      await refused([404, /no such room|^Not Found/], send(`/rooms/${room}/posts`, { text: 'hello' }, eve));
    }
    await refused([404, /^Not Found/], ask('/users/bob/events', eve));

    await refused([400, /at most 280 characters/], send(posts, { text: 'x'.repeat(281) }, eve));
    await refused(
      [400, /^Send JSON of at most 8 kB: .* too large/],
      send(posts, { text: 'x'.repeat(10_000) }, eve),
    );
    await refused([400, /says something/], send(posts, { text: ' \n ' }, eve));
    for (const body of [{}, { text: 1 }, { text: ['x'] }, []]) {
      await refused([400, /^Send JSON/], send(posts, body, eve));
    }
    await refused([400, /^Send JSON/], sendText(posts, '{"text":', eve));
    await refused([400, /^Send JSON/], sendText(posts, '{"text":"a form"}', eve, 'text/plain'));

    // Nobody can keep a post from somebody else, or read what is for them.
    const stream = await request(url().slice(0, -1), '/rooms/lobby/events?user=bob', {
      headers: { Cookie: eve },
    });
    onTestFinished(stream.leave);
    const bobs = await bob.evaluate<string>('stream');
    for (const except of ['bob', bobs]) {
      expect((await send(posts, { text: `@bob not for ${except}`, stream: except }, eve)).status).toBe(201);
    }
    expect(
      await send(posts, { text: 'half \ud83d and \0 nothing' }, eve).then(answer => answer.json()),
    ).toMatchObject({ text: 'half \ufffd and  nothing' });
    await poll(() => shown(bob)).toEqual([
      'half \ufffd and  nothing',
      `@bob not for ${bobs}`,
      '@bob not for bob',
    ]);
    await stream.until(({ events }) => events.filter(({ event }) => event === 'post').length === 3);
    expect(stream.events.filter(({ event }) => event === 'mention')).toEqual([]);
    expect(await shown(bob, 'mentions')).toHaveLength(2);
  });

  test('fits a phone, light and dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await enter(colorScheme, {
        viewport: { width: 360, height: 740 },
        isMobile: true,
        colorScheme,
      });
      await post(page, 'long'.repeat(70));
      await poll(async () => (await shown(page)).length).toBeGreaterThan(0);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      const top = async (part: string) => (await page.locator(part).boundingBox())?.y as number;
      const parts = [await top('#compose'), await top('#here'), await top('#posts')];
      expect(parts).toEqual(parts.toSorted((a, b) => a - b));
    }
  });

  const url = () => `http://127.0.0.1:${port}/`;

  const startExample = () => start(folderOf('koa-timeline'), port, { DATABASE: join(folder, 'timeline.db') });

  /** A page of somebody new. */
  async function enter(name: string, { origin, ...options }: EnterOptions = {}): Promise<Page> {
    const context = await newContext(options);
    await context.route('**/tidings/client.js', route =>
      route.fulfill({ contentType: 'text/javascript', body: RECORDER }),
    );
    const page = await context.newPage();
    await page.goto(origin ?? url());
    await logIn(page, name);
    return page;
  }

  /** Another page of somebody who is there. */
  async function openPage(context: BrowserContext, { room = 'lobby' } = {}): Promise<Page> {
    const page = await openWindow(context);
    await page.goto(`${url()}?room=${room}`);
    await showsState(page, 'live');
    return page;
  }

  const ask = (path: string, cookie: string) => fetch(url().slice(0, -1) + path, { headers: { cookie } });

  const send = (path: string, body: object, cookie = '') => sendText(path, JSON.stringify(body), cookie);

  const sendText = (path: string, body: string, cookie: string, type = 'application/json') =>
    fetch(url().slice(0, -1) + path, { method: 'POST', headers: { cookie, 'Content-Type': type }, body });

  async function logInByFetch(name: string): Promise<string> {
    const { status, headers } = await send('/login', { name });
    expect(status).toBe(204);
    return headers
      .getSetCookie()
      .map(cookie => cookie.split(';')[0])
      .join('; ');
  }
});

interface EnterOptions extends BrowserContextOptions {
  /** Default: the server's own. */
  origin?: string;
}

async function logIn(page: Page, name: string): Promise<void> {
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Log in' }).click();
  await showsState(page, 'live');
}

async function post(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Post' }).fill(text);
  await page.getByRole('button', { name: 'Post' }).click();
  // It is emptied when the server has the post.
  await poll(() => page.getByRole('textbox', { name: 'Post' }).inputValue()).toBe('');
}

const showsState = (page: Page, state: string) => page.locator(`[data-state="${state}"]`).waitFor();

const shown = (page: Page, list = 'posts') => page.locator(`#${list} li p`).allTextContents();

const here = async (page: Page) => (await page.locator('#here li').allTextContents()).sort();

async function cookieOf(page: Page): Promise<string> {
  const cookies = await page.context().cookies();
  return cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
}
