import { afterAll, describe, expect, test } from 'vitest';
import { CHROMIUM } from '../support/system.ts';
import { publishThrough, startNewsSite } from './news-site.ts';
import { closeBrowser, newPage } from './page-clients.ts';
import { describeSubject } from './subject.ts';

/** Fetches everything again, as workers for offline use do, except event streams. */
const WORKER = `
  addEventListener('install', () => skipWaiting());
  addEventListener('activate', event => event.waitUntil(clients.claim()));
  addEventListener('fetch', event => {
    if (event.request.headers.get('accept') === 'text/event-stream') return;
    event.respondWith(fetch(event.request));
  });`;

describe('Service workers', () => {
  afterAll(closeBrowser);

  describeSubject({ name: 'Chromium', program: CHROMIUM }, () => {
    test('a page with a worker that ignores streams resumes, without gaps or duplicates', async context => {
      await context.annotate(
        "A worker that fetches streams again loses `Last-Event-ID` in Chromium, and is stopped after 30 s in Firefox. Begin its fetch listener with `if (event.request.headers.get('accept') === 'text/event-stream') return;`",
        'note',
      );
      const site = await startNewsSite(context);
      site.app.get('/worker.js', (_req, res) => void res.type('js').send(WORKER));
      const page = await newPage();
      context.onTestFinished(() => page.close());
      const seen: string[] = [];
      await page.exposeFunction('see', (data: string) => seen.push(data));
      await page.goto(`${site.origin}/page`);
      const script = `
        await navigator.serviceWorker.register('/worker.js');
        await navigator.serviceWorker.ready;
        new EventSource('/news').onmessage = event => see(event.data);`;
      await page.addScriptTag({ type: 'module', content: script });
      const published = await publishThrough(site, [site.end, site.cut], n => site.hub.publish('news', n));
      await context.expect.poll(() => seen).toEqual(published);
      const streams = site.requests.filter(({ path }) => path === '/news');
      expect(streams.map(req => req.get('last-event-id') !== undefined)).toEqual([false, true, true]);
    });
  });
});
