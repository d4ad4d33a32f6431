import type { ChildProcess } from 'node:child_process';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { beforeEach, describe, expect, type TestContext, test } from 'vitest';
import {
  failure,
  folderOf,
  inChromium,
  poll,
  pollIn,
  pressCtrlC,
  shareExample,
  start,
  throughProxy,
} from '../support/example.ts';
import { freePort } from '../support/server.ts';
import { CHROMIUM, describeWith } from '../support/system.ts';

const EXAMPLE = folderOf('htmx-jobs');

describeWith(CHROMIUM, 'htmx-jobs', () => {
  const newContext = inChromium();
  let port: number;

  // Jobs take their time. These do so side by side, on one server.
  describe.concurrent('a job', () => {
    const example = shareExample(EXAMPLE);
    beforeEach(() => {
      port = example.port;
    });

    test('a job shows its progress and log in every page, and then the page disconnects', async context => {
      const poll = pollIn(context);
      const a = await openPage({}, context);
      await startJob(a, 'Holiday', 60);
      const b = await openPage({ path: new URL(a.url()).pathname }, context);
      for (const page of [a, b]) await showsState(page, 'Live');
      await poll(async () => (await log(a)).length).toBeGreaterThan(2);
      await poll(() => a.locator('progress').getAttribute('value')).toMatch(/^[1-9]/);

      for (const page of [a, b]) {
        await showsState(page, 'Finished');
        await poll(() => outcome(page)).toBe('Done: 60 photos');
        expect(await log(page)).toEqual(wholeLog(60));
        expect(await page.locator('progress').getAttribute('value')).toBe('60');
      }
      expect(await streams(a)).toBe(1);
    });

    test('a page that is reloaded shows the whole log, and continues', async context => {
      const poll = pollIn(context);
      const page = await openPage({}, context);
      await startJob(page, 'Holiday', 100);
      await poll(async () => (await log(page)).length).toBeGreaterThan(5);
      await page.reload();
      await poll(async () => (await log(page)).length).toBeGreaterThan(5);
      const before = await log(page);
      expect(before).toEqual(wholeLog(before.length));
      expect(await outcome(page)).toBe('Running: 100 photos');
      await showsState(page, 'Finished');
      expect(await log(page)).toEqual(wholeLog(100));

      await page.reload();
      await showsState(page, 'Finished');
      expect(await log(page)).toEqual(wholeLog(100));
    });

    test('a page resumes after an aborted connection, and starts again after an error', async context => {
      const poll = pollIn(context);
      const { origin, cut, mend } = await throughProxy(port, context);
      const page = await openPage({ origin }, context);
      await startJob(page, 'Holiday', 100);
      await poll(async () => (await log(page)).length).toBeGreaterThan(5);
      cut();
      await showsState(page, 'Reconnecting');
      mend();
      await showsState(page, 'Live');
      await page.context().route('**/events', route => route.fulfill({ status: 502 }), { times: 1 });
      cut();
      await showsState(page, 'Reconnecting');
      mend();
      await showsState(page, 'Finished');
      expect(await log(page)).toEqual(wholeLog(100));
    });

    test('a page reloads if its log has a gap', async context => {
      const poll = pollIn(context);
      const page = await openPage({}, context);
      await startJob(page, 'Holiday', 100);
      await poll(async () => (await log(page)).length).toBeGreaterThan(5);
      await page.evaluate(`
        document.querySelector('#log li').remove();
        document.querySelector('article')['htmx-internal-data'].sseEventSource.dispatchEvent(
          new MessageEvent('reset', { data: '{}' }));`);
      await showsState(page, 'Finished');
      expect(await log(page)).toEqual(wholeLog(100));
    });
  });

  describe('the server', () => {
    let server: ChildProcess;
    beforeEach(async () => {
      port = await freePort();
      server = await start(EXAMPLE, port);
    });

    test('an EventSource without htmx gets 204 after the end', async () => {
      const [job, page] = [await openPage(), await openPage()];
      await startJob(job, 'Holiday', 3);
      const path = `${new URL(job.url()).pathname}/events`;
      const answers: number[] = [];
      page.on('response', response => {
        if (response.url().endsWith(path)) answers.push(response.status());
      });
      await page.evaluate(`window.source = new EventSource('${path}')`);
      await page.waitForFunction('source.readyState === EventSource.CLOSED');
      expect(answers).toEqual([200, 204]);
    });

    test('the list shows running and finished jobs', async () => {
      const list = await openPage();
      await poll(() => list.locator('section').textContent()).toBe('None');
      const page = await openPage();
      await startJob(page, 'Well', 2);
      await page.goto(url());
      await startJob(page, 'Badly', 4, { fails: true });
      await poll(() => list.locator('section li').allTextContents()).toEqual([
        'Badly Failed after 2 of 4 photos',
        'Well Done: 2 photos',
      ]);
      await poll(() => outcome(page)).toBe('Failed after 2 of 4 photos');
      expect((await log(page)).at(-1)).toBe('Error: photo-003.raw is damaged');
      await list.getByRole('link', { name: 'Well' }).click();
      await poll(() => outcome(list)).toBe('Done: 2 photos');
    });

    test('user input is shown as text, and is bounded', async () => {
      const page = await openPage();
      await page.evaluate("document.querySelector('form').noValidate = true");
      const refused = async (name: string, files: string, message: RegExp) => {
        await page
          .locator('[name="name"]')
          .evaluate((input, value) => input.setAttribute('value', value), name);
        await page.locator('[name="files"]').fill(files);
        await page.getByRole('button', { name: 'Start' }).click();
        await page.getByRole('alert').filter({ hasText: message }).waitFor();
      };
      await refused(' ', '5', /name of 1 to 60/);
      await refused('a', '201', /1 to 200/);
      await refused('a'.repeat(61), '5', /name of 1 to 60/);
      await refused('a', '0', /1 to 200/);

      const name = '<img src="" onerror="window.isForged = true"><b>&amp;';
      await page.goto(url());
      await startJob(page, name, 1);
      await poll(() => outcome(page)).toBe('Done: 1 photo');
      expect(await page.locator('h2').textContent()).toBe(name);
      expect(await page.title()).toBe(`${name} · Tidings`);
      await page.goto(url());
      await poll(() => page.locator('section a').textContent()).toBe(name);
      expect(await page.evaluate('window.isForged')).toBeUndefined();
    });

    test('a server that stops ends the pages of its jobs, and after a restart the jobs no longer exist', async () => {
      const [page, list] = [await openPage(), await openPage()];
      await startJob(page, 'Holiday', 200);
      await poll(async () => (await log(page)).length).toBeGreaterThan(2);
      await poll(() => list.locator('section').textContent()).toContain('Holiday');

      expect(await pressCtrlC(server)).toEqual([0, null]);
      await showsState(page, 'Finished');
      expect(await outcome(page)).toMatch(/^Failed/);
      await showsState(list, 'Reconnecting');
      await list.locator('[name="name"]').fill('Lost');
      await list.getByRole('button', { name: 'Start' }).click();
      await list.getByRole('alert').filter({ hasText: 'cannot be reached' }).waitFor();

      server = await start(EXAMPLE, port);
      await showsState(list, 'Live');
      await poll(() => list.locator('section').textContent()).toBe('None');
      await page.reload();
      expect(await outcome(page)).toMatch(/^The server does not have this job/);
      expect(await page.locator('#state').isVisible()).toBe(false);
    });

    test.each(['light', 'dark'] as const)('fits a phone, %s', async colorScheme => {
      const page = await openPage({ viewport: { width: 390, height: 844 }, isMobile: true, colorScheme });
      await showsState(page, 'Live');
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
      await startJob(page, 'a'.repeat(60), 8);
      // A longer word takes another line of the header.
      await page.locator('#state:not(:text-is("Connecting"))').waitFor();
      const place = await page.locator('.log').boundingBox();
      await poll(() => outcome(page)).toMatch(/^Done/);
      await showsState(page, 'Finished');
      expect(await page.locator('.log').boundingBox()).toEqual(place);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    });

    test('prints which port is in use', async () => {
      const [status, output] = await failure('htmx-jobs/server.ts', { PORT: String(port) });
      expect(status).toBe(1);
      expect(output).toContain(`:${port}. Set PORT`);
    });
  });

  const url = (path = '/') => `http://127.0.0.1:${port}${path}`;

  async function openPage(
    { path = '/', origin, ...options }: PageOptions = {},
    test?: TestContext,
  ): Promise<Page> {
    const context = await newContext(options, test);
    // Counts the streams that a page asks for.
    await context.addInitScript(`
      window.streams = 0;
      window.EventSource = class extends EventSource {
        constructor(...args) { super(...args); streams += 1; }
      }`);
    const page = await context.newPage();
    await page.goto(origin === undefined ? url(path) : origin + path);
    return page;
  }
});

interface PageOptions extends BrowserContextOptions {
  path?: string;
  /** Default: the server's own. */
  origin?: string;
}

/** Resolves when the page of the job is there. */
async function startJob(page: Page, name: string, files: number, { fails = false } = {}): Promise<void> {
  await page.locator('[name="name"]').fill(name);
  await page.locator('[name="files"]').fill(String(files));
  if (fails) await page.getByLabel('Let it fail').check();
  await page.getByRole('button', { name: 'Start' }).click();
  await page.locator('article').waitFor();
}

const showsState = (page: Page, state: string) => page.locator(`#state:text-is("${state}")`).waitFor();

const outcome = (page: Page) => page.locator('article').getByRole('status').textContent();

const log = (page: Page) => page.locator('#log li').allTextContents();

const streams = (page: Page) => page.evaluate<number>('streams');

const wholeLog = (files: number) =>
  Array.from({ length: files }, (_, index) => {
    const name = `photo-${String(index + 1).padStart(3, '0')}`;
    return `${name}.raw → ${name}.webp`;
  });
