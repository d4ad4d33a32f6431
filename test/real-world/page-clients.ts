import type { Browser } from 'playwright-core';
import { connectToChromium } from '../support/chromium.ts';
import { CHROMIUM } from '../support/system.ts';
import { type SseClient, TYPES } from './sse-client.ts';

let browser: Promise<Browser> | undefined;

/** A new page of the Chromium that the tests share. */
export async function newPage() {
  browser ??= connectToChromium();
  return (await browser).newPage();
}

export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
}

interface PageClient extends Omit<SseClient, 'follow' | 'program'> {
  package: string;
  /** Run first. */
  setUp?: string;
  /** Of its package, loaded before the script. */
  file?: string;
  /** A module that follows `url`, and tells `see`; `listen` does so for an EventSource. */
  script: string;
}

const LISTEN = `
  const listen = source => {
    for (const type of ${JSON.stringify(TYPES)}) source.addEventListener(type, event => see(type, event.data));
  };`;

const table: PageClient[] = [
  {
    name: 'event-source-polyfill (Yaffle)',
    package: 'event-source-polyfill',
    file: 'src/eventsource.js',
    note: 'Sends its last id in the query (`lastEventId=`) instead of a header',
    script: 'listen(new EventSourcePolyfill(url));',
  },
  {
    name: 'eventsource-polyfill (AmvTek)',
    package: 'eventsource-polyfill',
    setUp: 'delete globalThis.EventSource',
    file: 'dist/eventsource.js',
    script: 'listen(new EventSource(url));',
    note: 'Trims each line of data. Does not reconnect after a broken connection',
    reads: data => data.replace(/[^\S\n]*(\n|$)[^\S\n]*/g, '$1'),
    isLostWhenCut: true,
  },
  {
    name: 'fetch-event-source (Microsoft)',
    package: '@microsoft/fetch-event-source',
    note: 'Calls `onmessage` for heartbeats, too: ignore events without data. Reconnects after a normal end only if `onclose` throws. Drops empty lines at the start of data',
    reads: data => data.replace(/^\n+/, ''),
    script: `
      import { fetchEventSource } from '/node_modules/@microsoft/fetch-event-source/lib/esm/index.js';
      fetchEventSource(url, {
        onmessage({ event, data }) {
          if (data !== '') see(event || 'message', data);
        },
        onclose() {
          throw new Error('come back');
        },
      });`,
  },
  {
    name: 'reconnecting-eventsource',
    package: 'reconnecting-eventsource',
    script: `
      import Source from '/node_modules/reconnecting-eventsource/build/esm/reconnecting-eventsource.js';
      listen(new Source(url));`,
  },
  {
    name: 'react-native-sse',
    package: 'react-native-sse',
    note: 'Trims each line of data. Does not reconnect after a broken connection. Reconnects after a 204: close it after the last event',
    reads: data => data.replace(/[^\S\n]*(\n|$)[^\S\n]*/g, '$1'),
    isLostWhenCut: true,
    script: `
      import Source from '/node_modules/react-native-sse/src/EventSource.js';
      listen(new Source(url, { pollingInterval: 50 }));`,
  },
  {
    name: 'sse.js',
    package: 'sse.js',
    note: 'Reconnects only with `autoReconnect`',
    script: `
      import { SSE } from '/node_modules/sse.js/lib/sse.js';
      listen(new SSE(url, { method: 'POST', payload: '{}', autoReconnect: true }));`,
  },
];

/** They run in Chromium, loaded as they are from the server that they follow. */
export const pageClients: SseClient[] = table.map(({ setUp, file, script, ...client }) => ({
  ...client,
  program: CHROMIUM,
  async follow(url, see) {
    const page = await newPage();
    await page.exposeFunction('see', see);
    await page.goto(new URL('/page', url).href);
    if (setUp !== undefined) await page.evaluate(setUp);
    if (file !== undefined) await page.addScriptTag({ url: `/node_modules/${client.package}/${file}` });
    const content = `const url = ${JSON.stringify(url)};${LISTEN}${script}`;
    await page.addScriptTag({ type: 'module', content });
    return () => page.close();
  },
}));
