import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import { crowd, received } from './crowd.ts';
import type { Load } from './load-server.ts';

const CLIENTS = 3_000;
const MISSED = 100;

let server: Child;
beforeAll(async () => {
  server = await start(new URL('load-server.ts', import.meta.url));
});
afterAll(() => server.kill());

it(`${CLIENTS} clients that reconnect at once receive missed events from one buffer, in slices`, async () => {
  const id = await server.ask<string>('publish', MISSED);
  const coming = crowd(CLIENTS, `${server.origin}/held`, {
    headers: { 'last-event-id': id },
    atOnce: CLIENTS,
  });
  await server.ask('answer', CLIENTS);
  const numbers = Array.from({ length: MISSED }, (_, i) => i + 1);
  expect(await received(await coming, MISSED)).toEqual([numbers.join()]);
  const { turns, buffers } = await server.ask<Load>('report');
  const total = turns.reduce((sum, bytes) => sum + bytes, 0);
  // A write takes 20 µs there, so that 500 are 10 ms.
  expect(Math.max(...turns)).toBeLessThanOrEqual((500 / CLIENTS) * total);
  expect(buffers).toBeLessThan(10);
});
