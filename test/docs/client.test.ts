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
const { createElement } = require('react') as { createElement(component: () => null): unknown };
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

test('the hook of the page about the client shows events and the state', async () => {
  const hub = createHub();
  const server = await listen((req, res) => {
    openStream(req, res, { hub }).subscribe('prices');
  });
  onTestFinished(server.kill);
  // Among the tests, so that the packages are found as from any other.
  const folder = mkdtempSync(`${root}test/.snippets-`);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const code = snippet('docs/client.md', 'react');
  writeFileSync(
    `${folder}/hooks.ts`,
    `type Channels = any;\n${code.replace("'/events'", `'${server.origin}'`)}`,
  );
  hooks = await import(`${folder}/hooks.ts`);
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
