import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type http from 'node:http';
import type { ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  folderOf,
  inChromium,
  openWindow,
  poll,
  pressCtrlC,
  shareExample,
  start,
  throughProxy,
} from '../support/example.ts';
import { freePort, listen, type Running } from '../support/server.ts';
import { CHROMIUM, describeWith } from '../support/system.ts';

const KEY = 'sk-of-the-test';

/** What the example has asked, and how the test answers. */
interface Asked {
  prompt: string;
  say(text: string): void;
  finish(reason?: string): void;
  /** Cuts the connection. */
  cut(): void;
  /** Ends the response, properly, before the answer is complete. */
  end(): void;
  /** Resolves when the example has hung up, or it is over. */
  over: Promise<unknown>;
}

describeWith(CHROMIUM, 'hono-answers', () => {
  const newContext = inChromium();
  let port: number;
  let upstream: Running;
  let asked: Asked[];
  /** What the upstream answers in the place of a stream. */
  let refusal: number | undefined;

  beforeEach(() => {
    asked = [];
    refusal = undefined;
  });

  describe('a server', () => {
    const env: NodeJS.ProcessEnv = {};
    beforeAll(async () => {
      await startModel();
      Object.assign(env, environment());
    });
    const example = shareExample(folderOf('hono-answers'), env);
    beforeEach(() => {
      port = example.port;
    });
    afterAll(() => upstream.kill());

    test('both kinds of answer are shown while they are written, and no question is sent twice', async () => {
      const page = await openPage();
      for (const policy of ['stop', 'keep'] as const) {
        const model = await ask(page, `<b>why</b> ${policy}?`, policy);
        expect(model.prompt).toBe(`<b>why</b> ${policy}?`);
        for (const text of [
          'Be',
          'cause',
          ' of\n\n',
          '<img src="" onerror="window.isForged = true">',
          ' “ü”',
        ])
          model.say(text);
        await poll(() => text(page)).toBe('Because of\n\n<img src="" onerror="window.isForged = true"> “ü”');
        await showsState(page, 'live');
        model.finish();
        await showsState(page, 'done');
        expect(await page.locator('#question').textContent()).toBe(`<b>why</b> ${policy}?`);
        expect(await page.locator('#label').textContent()).toBe('test-model');
        expect(await notice(page)).toBe('');
      }
      expect(asked).toHaveLength(2);
      expect(await page.evaluate('window.isForged')).toBeUndefined();
    });

    test('a model stops with the stop button, and when the tab is closed', async () => {
      const page = await openPage();
      const first = await ask(page, 'one?', 'stop');
      first.say('One');
      await poll(() => text(page)).toBe('One');
      await page.getByRole('button', { name: 'Stop' }).click();
      await first.over;
      expect(await notice(page)).toBe('The answer was stopped before its end.');
      // It has said nothing yet.
      const second = await ask(page, 'two?', 'stop');
      await page.close();
      await second.over;
    });

    test('a broken connection stops the model, and the page does not ask again', async () => {
      const { origin, cut } = await throughProxy(port);
      const page = await openPage({ origin });
      const model = await ask(page, 'why?', 'stop');
      model.say('Because');
      await poll(() => text(page)).toBe('Because');
      cut();
      await model.over;
      await showsState(page, 'failed');
      expect(await color(page)).toBe(RED);
      expect(await notice(page)).toMatch(/^The connection was lost, and the model has been stopped/);
      expect(await text(page)).toBe('Because');
      expect(asked).toHaveLength(1);
    });

    test('a continued answer resumes in any tab after the last token', async () => {
      const { origin, cut, mend } = await throughProxy(port);
      const page = await openPage({ origin });
      const model = await ask(page, 'why?', 'keep');
      model.say('One ');
      await poll(() => text(page)).toBe('One ');
      await page.getByRole('button', { name: 'Disconnect' }).click();
      await poll(() => notice(page)).toBe('Disconnected. The model continues.');
      model.say('two ');

      const other = await openLink(page);
      await poll(() => text(other)).toBe('One two ');
      expect(await other.locator('#question').textContent()).toBe('why?');
      expect(await text(page)).toBe('One ');
      await page.getByRole('button', { name: 'Resume' }).click();
      await poll(() => text(page)).toBe('One two ');

      cut();
      for (const tab of [page, other]) await showsState(tab, 'waiting');
      // It turns red where the server stays away.
      await page.evaluate(
        "for (const change of document.querySelector('#state').getAnimations()) change.finish()",
      );
      expect(await color(page)).toBe(RED);
      model.say('three ');
      mend();
      for (const tab of [page, other]) await showsState(tab, 'live');
      model.say('four');
      for (const tab of [page, other]) await poll(() => text(tab)).toBe('One two three four');
      for (const tab of [page, other]) {
        await tab.reload();
        await poll(() => text(tab)).toBe('One two three four');
      }

      model.finish();
      for (const tab of [page, other, await openLink(page)]) {
        await showsState(tab, 'done');
        expect(await text(tab)).toBe('One two three four');
      }
      expect(asked).toHaveLength(1);
    });

    test('the stop button stops the model in all pages, and they keep the text', async () => {
      const page = await openPage();
      const model = await ask(page, 'why?', 'keep');
      model.say('Because ');
      await poll(() => text(page)).toBe('Because ');
      const other = await openLink(page);
      await poll(() => text(other)).toBe('Because ');
      await other.getByRole('button', { name: 'Stop' }).click();
      await model.over;
      for (const tab of [page, other]) {
        await showsState(tab, 'stopped');
        expect(await notice(tab)).toBe('The answer was stopped before its end.');
      }
      // The page that has asked has the answer again after a reload.
      await page.reload();
      await showsState(page, 'stopped');
      expect([await text(page), await page.locator('#question').textContent()]).toEqual(['Because ', 'why?']);
      expect(await page.getByRole('button', { name: 'Stop' }).isVisible()).toBe(false);
      // An answer that stops when the client disconnects cannot be resumed.
      await ask(page, 'again?', 'stop');
      expect(await page.getByRole('button', { name: 'Disconnect' }).isVisible()).toBe(false);
      expect(asked).toHaveLength(2);
    });

    test('invalid questions and requests from other sites are refused', async () => {
      const url = `http://127.0.0.1:${port}`;
      const refused = async (answer: Promise<Response>) => [
        (await answer).status,
        await (await answer).text(),
      ];
      const post = (body: string, headers = {}) =>
        refused(
          fetch(`${url}/answers`, {
            method: 'POST',
            headers: { 'Content-Type': 'application/json', ...headers },
            body,
          }),
        );
      const long = JSON.stringify({ prompt: 'x'.repeat(1_001) });
      const tooLong = [400, 'A question has at most 1000 characters.'];
      const missing = [400, 'Send a question as "prompt".'];
      expect(await post(long)).toEqual(tooLong);
      expect(await refused(fetch(`${url}/answers?prompt=${'x'.repeat(1_001)}`))).toEqual(tooLong);
      for (const body of ['', '{', 'null', '[]', '{"prompt":7}', '{"prompt":" "}']) {
        expect(await post(body)).toEqual(missing);
      }
      expect(await refused(fetch(`${url}/answers`))).toEqual(missing);
      expect(await post(JSON.stringify({ prompt: 'x'.repeat(20_000) }))).toEqual([413, 'Payload Too Large']);
      expect(await refused(fetch(`${url}/answers/42`))).toEqual([
        404,
        'There is no such answer, or it is too old.',
      ]);
      const headers = { 'Sec-Fetch-Site': 'cross-site' };
      const others = [403, 'Ask from the page of this server.'];
      expect(await post('{"prompt":"why?"}', headers)).toEqual(others);
      expect(await refused(fetch(`${url}/answers?prompt=why`, { headers }))).toEqual(others);
      expect(asked).toEqual([]);
    });

    test('fits a phone, light and dark', async () => {
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await openPage({ viewport: { width: 360, height: 740 }, isMobile: true, colorScheme });
        const model = await ask(page, 'question'.repeat(40), 'keep');
        model.say('answer'.repeat(40));
        await poll(() => text(page)).not.toBe('');
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      }
    });
  });

  describe('a server that loses its model or is stopped', () => {
    let server: ChildProcess;
    beforeEach(async () => {
      await startModel();
      port = await freePort();
      server = await startExample();
    });
    afterEach(() => upstream.kill());
    const startExample = (env = environment()) => start(folderOf('hono-answers'), port, env);

    test.each(['stop', 'keep'] as const)('an error of the model is shown in the page (%s)', async policy => {
      const page = await openPage();
      const failing = async (reason: RegExp, partial = '') => {
        // The state may still be that of the answer before.
        await poll(() => notice(page)).toMatch(reason);
        await showsState(page, 'failed');
        expect(await text(page)).toBe(partial);
        expect(await page.content()).not.toContain(KEY);
      };
      for (const [status, reason] of [
        [401, /refused the key .*\(401\)/],
        [429, /too much to do, .*\(429\)/],
        [404, /refused to answer \(404\)/],
      ] as const) {
        refusal = status;
        await submit(page, `refuse with ${status}`, policy);
        await failing(reason);
      }
      refusal = undefined;
      for (const breakOff of ['cut', 'end'] as const) {
        const model = await ask(page, `${breakOff}?`, policy);
        model.say('Half an ');
        await poll(() => text(page)).toBe('Half an ');
        model[breakOff]();
        await failing(/broken off: this is not the whole answer/, 'Half an ');
      }
      const model = await ask(page, 'at length?', policy);
      model.say('Long');
      model.finish('length');
      await failing(/stopped before the end: length/, 'Long');
      upstream.kill();
      await submit(page, 'anybody?', policy);
      await failing(/cannot be reached/);
    });

    test('Ctrl-C stops models and ends the server; pages say which answer is lost, and work with the next server', async () => {
      const page = await openPage();
      const other = await openPage();
      const kept = await ask(page, 'one?', 'keep');
      const stopped = await ask(other, 'two?', 'stop');
      for (const model of [kept, stopped]) model.say('Well');
      for (const tab of [page, other]) await poll(() => text(tab)).toBe('Well');

      expect(await pressCtrlC(server)).toEqual([0, null]);
      await Promise.all([kept.over, stopped.over]);
      await showsState(other, 'failed');
      expect(await notice(other)).toMatch(/^The connection was lost/);

      await showsState(page, 'failed');
      expect(await notice(page)).toMatch(/^The server was stopped/);
      server = await startExample();
      const late = await openLink(page);
      await showsState(late, 'failed');
      expect(await notice(late)).toMatch(/^The server does not have this answer/);
      expect(asked).toHaveLength(2);
      for (const policy of ['keep', 'stop'] as const) {
        const model = await ask(page, 'again?', policy);
        model.say('Yes');
        model.finish();
        await showsState(page, 'done');
        expect(await text(page)).toBe('Yes');
      }
    });

    test('without a key the text is prepared, and labelled so', async () => {
      await pressCtrlC(server);
      server = await startExample({ ...environment(), OPENAI_API_KEY: '', OPENAI_BASE_URL: '' });
      const page = await openPage();
      await submit(page, 'hello?', 'keep');
      await poll(() => text(page)).toMatch(/^These words are canned: no model has written them\./);
      await page.getByText('Canned text, no model').waitFor();
      for (const [wish, reason] of [
        ['401', /\(401\)/],
        ['cut', /broken off/],
      ] as const) {
        await submit(page, `please, ${wish}`, 'stop');
        await poll(() => notice(page)).toMatch(reason);
      }
      expect(asked).toEqual([]);
    });
  });

  async function startModel(): Promise<void> {
    upstream = await listen(async (req: http.IncomingMessage, res: ServerResponse) => {
      const { model, messages, stream } = (await json(req)) as Record<string, unknown>;
      expect([req.url, req.headers.authorization]).toEqual(['/v1/chat/completions', `Bearer ${KEY}`]);
      expect([model, stream]).toEqual(['test-model', true]);
      if (refusal !== undefined) {
        res.writeHead(refusal, { 'Content-Type': 'application/json', 'Retry-After-Ms': '1' });
        res.end(JSON.stringify({ error: { message: `Incorrect API key provided: ${KEY}` } }));
        return;
      }
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      res.flushHeaders();
      const write = (delta: object, finish_reason: string | null = null) =>
        res.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
      asked.push({
        prompt: (messages as { content: string }[])[0]?.content as string,
        say: content => write({ content }),
        finish(reason = 'stop') {
          write({}, reason);
          res.end('data: [DONE]\n\n');
        },
        cut: () => res.destroy(),
        end: () => res.end(),
        over: once(res, 'close'),
      });
    });
  }

  const environment = () => ({
    OPENAI_BASE_URL: `${upstream.origin}/v1`,
    OPENAI_API_KEY: KEY,
    OPENAI_MODEL: 'test-model',
  });

  async function openPage({ origin, ...options }: OpenOptions = {}): Promise<Page> {
    return openTab(await newContext(options), origin ?? `http://127.0.0.1:${port}`);
  }

  /** What the page offers for another tab. */
  async function openLink(page: Page): Promise<Page> {
    const path = await page.getByRole('link', { name: 'Read it in another tab' }).getAttribute('href');
    return openTab(page.context(), new URL(path as string, page.url()).href);
  }

  /** Resolves when the question has arrived upstream. */
  async function ask(page: Page, question: string, policy: 'stop' | 'keep'): Promise<Asked> {
    const before = asked.length;
    await submit(page, question, policy);
    await poll(() => asked.length).toBe(before + 1);
    return asked[before] as Asked;
  }
});

interface OpenOptions extends BrowserContextOptions {
  /** Default: the server's own. */
  origin?: string;
}

async function openTab(context: BrowserContext, url: string): Promise<Page> {
  const page = await openWindow(context);
  await page.goto(url);
  await poll(() => page.locator('#model').textContent()).not.toBe('');
  return page;
}

async function submit(page: Page, question: string, policy: 'stop' | 'keep'): Promise<void> {
  await page.getByRole('textbox', { name: 'Question' }).fill(question);
  await page
    .getByRole('radio')
    .nth(policy === 'stop' ? 0 : 1)
    .check();
  await page.getByRole('button', { name: 'Ask' }).click();
}

const showsState = (page: Page, state: string) => page.locator(`[data-state="${state}"]`).waitFor();

const text = (page: Page) => page.locator('#text').textContent();

/** `--bad` in light. */
const RED = 'rgb(189, 35, 51)';

const color = (page: Page) => page.evaluate("getComputedStyle(document.querySelector('#state')).color");

const notice = (page: Page) => page.locator('#notice').textContent();
