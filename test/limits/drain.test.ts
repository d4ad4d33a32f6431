import http from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import { crowd } from './crowd.ts';
import type { Load } from './load-server.ts';

const STREAMS = 5_000;
const WITHIN = 3_000;

let server: Child;
beforeEach(async () => {
  server = await start(new URL('load-server.ts', import.meta.url));
});
afterEach(() => server.kill());

// What is left at the deadline is cut, and a machine that has other things to do can miss it.
it(`${STREAMS} streams end completely within ${WITHIN} ms, and nothing stays open`, {
  retry: 2,
}, async () => {
  const clients = await crowd(STREAMS, `${server.origin}/stream`, {
    // As a browser does, which would come back on the same connection.
    agent: new http.Agent({ keepAlive: true }),
  });
  const { closed, turns } = await server.ask<Load & { closed: object }>('drain', WITHIN);
  expect(closed).toEqual({ drained: STREAMS });
  // One after the other, and not all in one turn.
  const total = turns.reduce((sum, bytes) => sum + bytes, 0);
  expect(Math.max(...turns)).toBeLessThan(0.75 * total);
  // With its final chunk, so that none was cut.
  const ends = await Promise.all(clients.map(client => client.ended));
  expect(ends.filter(isProper => !isProper)).toEqual([]);
  // What was published before, then a time to come back, and nothing after it.
  for (const { text } of clients)
    expect(text).toMatch(/\ndata: 1\nid: \S+\n\nevent: tidings\nretry: \d+\ndata: \n\n$/);
  const seconds = new Map<number, number>();
  for (const { retries } of clients) {
    const second = Math.floor((retries[0] as number) / 1_000);
    seconds.set(second, (seconds.get(second) ?? 0) + 1);
  }
  expect(Math.min(...seconds.keys())).toBeGreaterThanOrEqual(1);
  expect(Math.max(...seconds.keys())).toBeLessThanOrEqual(15);
  expect(seconds.size).toBeGreaterThanOrEqual(10);
  expect(Math.max(...seconds.values())).toBeLessThan(STREAMS / 4);
  expect(await server.ended).toBe(0);
});
