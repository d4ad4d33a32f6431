import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { EventSource } from 'eventsource';
import { expect, onTestFinished, test, vi } from 'vitest';
import { eventually } from '../support/client.ts';
import { listen } from '../support/server.ts';
import { root, snippet } from '../support/snippets.ts';

interface Hooks {
  usePrice(symbol: string): number | undefined;
  useConnectionState(): string;
}

// The types of React declare elements of the DOM, for all tests.
const require = createRequire(import.meta.url);
const { createElement, StrictMode } = require('react') as {
  createElement(component: unknown, props?: object | null, child?: unknown): unknown;
  StrictMode: unknown;
};
const { act, create } = require('react-test-renderer') as {
  act<T>(run: () => Promise<T>): Promise<T>;
  create(element: unknown): { unmount(): void };
};

let hooks: Hooks;
const shown: string[] = [];
function Price() {
  shown.push(`${hooks.usePrice('acme')} ${hooks.useConnectionState()}`);
  return null;
}

/** The module that the page about React shows. */
async function importSnippet<T>(name: string, change = (code: string) => code): Promise<T> {
  // Among the tests, so that the packages are found as from any other.
  const folder = mkdtempSync(`${root}test/.snippets-`);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(`${folder}/hooks.ts`, `type Channels = any;\n${change(snippet('docs/react.md', name))}`);
  return import(`${folder}/hooks.ts`);
}

test('the hook of the page about React shows events and the state', async () => {
  const hub = createHub();
  const server = await listen((req, res) => {
    openStream(req, res, { hub }).subscribe('prices');
  });
  onTestFinished(server.kill);
  hooks = await importSnippet('react', code => code.replace("'/events'", `'${server.origin}'`));
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  onTestFinished(() => void vi.unstubAllGlobals());

  let renderer: { unmount(): void } | undefined;
  await act(async () => {
    renderer = create(createElement(Price));
  });
  await act(() => eventually(() => hub.streams.size === 1));
  await act(async () => {
    hub.publish('prices', { symbol: 'beta', value: 1 }, { event: 'price' });
    hub.publish('prices', { symbol: 'acme', value: 2 }, { event: 'price' });
    await hub.channel('prices').end();
    await eventually(() => hub.streams.size === 0);
  });
  await act(async () => renderer?.unmount());
  expect(shown[0]).toBe('undefined connecting');
  expect(shown.at(-1)).toBe('2 ended');
});

let useMessages: (url: string) => unknown[];
let messages: unknown[] = [];
function List({ url }: { url: string }) {
  messages = useMessages(url);
  return null;
}

test('the effect of the page about React keeps one connection under StrictMode, and closes it', async () => {
  const hub = createHub();
  const server = await listen((req, res) => {
    openStream(req, res, { hub }).subscribe('news');
  });
  onTestFinished(server.kill);
  ({ useMessages } = await importSnippet<{ useMessages: typeof useMessages }>('effect'));
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  const sources: EventSource[] = [];
  class Source extends EventSource {
    constructor(url: string) {
      super(url);
      sources.push(this);
    }
  }
  vi.stubGlobal('EventSource', Source);
  onTestFinished(() => void vi.unstubAllGlobals());
  const list = createElement(StrictMode, null, createElement(List, { url: server.origin }));
  let renderer: { unmount(): void } | undefined;
  await act(async () => {
    renderer = create(list);
  });
  await act(() => eventually(() => hub.streams.size === 1));
  expect(sources.map(({ readyState }) => readyState === EventSource.CLOSED)).toEqual([true, false]);
  await hub.publish('news', { text: 'hello' });
  // What arrives is rendered when `act` ends.
  while (messages.length === 0) await act(() => new Promise(resolve => setTimeout(resolve, 20)));
  expect(messages).toEqual([{ text: 'hello' }]);
  await act(async () => renderer?.unmount());
  await eventually(() => hub.streams.size === 0);
});

test('the watchdog of the page about connections replaces a silent connection, and resumes', async () => {
  const hub = createHub();
  const urls: string[] = [];
  const server = await listen((req, res) => {
    urls.push(String(req.url));
    if (urls.length === 1) {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('id: before\ndata: 1\n\n');
    } else openStream(req, res, { hub }).subscribe('news');
  });
  onTestFinished(server.kill);
  const sources: EventSource[] = [];
  let isOver = false;
  class Source extends EventSource {
    constructor(path: string) {
      super(server.origin + path);
      sources.push(this);
      if (isOver) this.close();
    }
  }
  const code = snippet('docs/connections.md', 'watchdog').replace('2.5 * 15_000', '300');
  const timer = (...args: Parameters<typeof setTimeout>) => (isOver ? undefined : setTimeout(...args));
  new Function('EventSource', 'setTimeout', code)(Source, timer);
  onTestFinished(() => {
    isOver = true;
    for (const source of sources) source.close();
  });
  await eventually(() => urls.length >= 2);
  expect(urls.slice(0, 2)).toEqual(['/events?lastEventId=', '/events?lastEventId=before']);
  expect(sources[0]?.readyState).toBe(EventSource.CLOSED);
});
