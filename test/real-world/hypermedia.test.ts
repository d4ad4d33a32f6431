import type { Hub } from '@tidings/core';
import { afterAll, describe, expect, type TestContext, test } from 'vitest';
import { eventually } from '../support/client.ts';
import { CHROMIUM } from '../support/system.ts';
import { type NewsSite, publishThrough, startNewsSite } from './news-site.ts';
import { closeBrowser, newPage } from './page-clients.ts';
import { describeSubject } from './subject.ts';

/** A library that puts HTML from a stream into a page. */
interface Library {
  name: string;
  package: string;
  note?: string;
  /** Of the packages of npm. */
  scripts: string[];
  /** The type of its scripts. */
  type?: 'module';
  /** With `#log`, to which items are appended, and `#status`. */
  body: string;
  publishItem(hub: Hub, html: string): Promise<unknown>;
  /** Changes `#status`. */
  publishStatus(hub: Hub, text: string): Promise<unknown>;
  /** It does not come back after a clean end. */
  isOverAtEnd?: boolean;
  /** Tells the page that there is no more. */
  publishEnd?(hub: Hub): Promise<unknown>;
}

const fragments = (html: string, ...options: string[]) =>
  [...options, ...html.split('\n').map(line => `fragments ${line}`)].join('\n');

const table: Library[] = [
  {
    name: 'htmx-ext-sse, htmx',
    package: 'htmx2',
    scripts: ['htmx2/dist/htmx.js', 'htmx-ext-sse/dist/sse.js'],
    body: `
      <div hx-ext="sse" sse-connect="/news" sse-close="end">
        <ul id="log" sse-swap="item" hx-swap="beforeend"></ul>
        <p id="status" sse-swap="status"></p>
      </div>`,
    publishItem: (hub, html) => hub.publish('news', html, { event: 'item' }),
    publishStatus: (hub, text) => hub.publish('news', text, { event: 'status' }),
    publishEnd: hub => hub.publish('news', '', { event: 'end' }),
    note: 'Reconnects after a 204: end it with an event that `sse-close` names',
  },
  {
    name: 'hx-sse, htmx',
    package: 'htmx.org',
    scripts: ['htmx.org/dist/htmx.js', 'htmx.org/dist/ext/hx-sse.js'],
    body: `
      <ul id="log" hx-sse:connect="/news" hx-sse:close="end" hx-swap="beforeend"></ul>
      <p id="status"></p>`,
    publishItem: (hub, html) => hub.publish('news', html),
    publishStatus: (hub, text) => hub.publish('news', `<p id="status" hx-swap-oob="true">${text}</p>`),
    publishEnd: hub => hub.publish('news', '', { event: 'end' }),
    note: 'Inserts events without a name; events with a name are DOM events. Reconnects after a 204: end it with an event that `hx-sse:close` names. Ignores `retry` without an event',
  },
  {
    name: 'jQuery 3, intercooler',
    package: 'intercooler',
    scripts: ['jquery/dist/jquery.js', 'intercooler/dist/intercooler.js'],
    body: `
      <div ic-sse-src="/news" ic-target="#log" ic-swap-style="append">
        <ul id="log"></ul>
        <p id="status" ic-target="this" ic-src="/status" ic-trigger-on="sse:status"></p>
      </div>`,
    publishItem: (hub, html) => hub.publish('news', html),
    publishStatus: (hub, text) => hub.publish('news', text, { event: 'status' }),
    note: 'Inserts events without a name; an event with a name triggers a request',
  },
  {
    name: 'Datastar',
    package: '@starfederation/datastar',
    scripts: ['@starfederation/datastar/dist/datastar.js'],
    type: 'module',
    body: `
      <ul id="log" data-on-load="sse('/news')"></ul>
      <p id="status"></p>`,
    publishItem: (hub, html) =>
      hub.publish('news', fragments(html, 'selector #log', 'mergeMode append'), {
        event: 'datastar-merge-fragments',
      }),
    publishStatus: (hub, text) =>
      hub.publish('news', fragments(`<p id="status">${text}</p>`), { event: 'datastar-merge-fragments' }),
    isOverAtEnd: true,
    note: 'Does not reconnect after a normal end, for example by `maxAge`, or after its tenth broken connection (`retryMaxCount`)',
  },
];

async function open({ scripts, type, body }: Library, context: TestContext) {
  const tags = scripts.map(
    src => `<script ${type ? `type="${type}" ` : ''}src="/node_modules/${src}"></script>`,
  );
  const site = await startNewsSite(context, `<!doctype html><title>News</title>${tags.join('')}${body}`);
  site.app.get('/status', (_req, res) => {
    res.send('half done');
  });
  const page = await newPage();
  context.onTestFinished(() => page.close());
  await page.goto(`${site.origin}/page`);
  await eventually(() => site.hub.streams.size === 1);
  const poll = <T>(ask: () => Promise<T>) => context.expect.poll(ask);
  const items = () => page.locator('#log li').allInnerTexts();
  return { site, page, poll, items };
}

const newsRequests = ({ requests }: NewsSite) => requests.filter(({ path }) => path === '/news');

describe.concurrent('Hypermedia libraries', () => {
  afterAll(closeBrowser);

  for (const library of table) {
    describeSubject({ ...library, program: CHROMIUM }, () => {
      const { note, publishItem, publishStatus, publishEnd, isOverAtEnd = false } = library;

      test('fragments of several lines, each in its position', async context => {
        if (note !== undefined) await context.annotate(note, 'note');
        const { site, page, poll, items } = await open(library, context);
        await publishItem(site.hub, '<li>\n  one &amp;\n  <b>ü</b>\n</li>');
        await publishItem(site.hub, '<li>two</li>');
        await publishStatus(site.hub, 'half done');
        await poll(items).toEqual(['one & ü', 'two']);
        await poll(() => page.locator('#status').textContent()).toBe('half done');
      });

      const breaks = isOverAtEnd ? 'two aborted connections' : 'a normal end and an aborted connection';
      test(`resume after ${breaks}, without gaps or duplicates`, async context => {
        const { site, poll, items } = await open(library, context);
        const published = await publishThrough(site, [isOverAtEnd ? site.cut : site.end, site.cut], n =>
          publishItem(site.hub, `<li>${n}</li>`),
        );
        await poll(items).toEqual(published);
        expect(newsRequests(site)).toHaveLength(3);
      });

      if (publishEnd !== undefined) {
        test('a 204 does not stop it', async context => {
          const { site, poll, items } = await open(library, context);
          await publishItem(site.hub, '<li>last</li>');
          await poll(items).toEqual(['last']);
          await site.hub.channel('news').end();
          await poll(async () => newsRequests(site).length).toBeGreaterThan(3);
        });

        test('its last event stops it', async context => {
          const { site, poll, items } = await open(library, context);
          await publishItem(site.hub, '<li>last</li>');
          await publishEnd(site.hub);
          await poll(items).toEqual(['last']);
          await poll(async () => site.hub.streams.size).toBe(0);
          expect(newsRequests(site)).toHaveLength(1);
        });
      }
    });
  }
});
