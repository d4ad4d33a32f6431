import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import { crowd, received } from './crowd.ts';
import type { Load } from './load-server.ts';

const STREAMS = 10_000;
const BROADCASTS = 5;

let server: Child;
beforeAll(async () => {
  server = await start(new URL('load-server.ts', import.meta.url));
});
afterAll(() => server.kill());

it(`a broadcast to ${STREAMS} streams does not block other work`, async () => {
  const clients = await crowd(STREAMS, `${server.origin}/stream`);
  let isOver = false;
  const asking = (async () => {
    while (!isOver) await (await fetch(server.origin)).text();
  })();
  const numbers: number[] = [];
  let between = 0;
  for (let n = 1; n <= BROADCASTS; n++) {
    await server.ask('publish', 1);
    numbers.push(n);
    // To each of them, once and in order.
    expect(await received(clients, n)).toEqual([numbers.join()]);
    const { turns, answers } = await server.ask<Load>('report');
    const total = turns.reduce((sum, bytes) => sum + bytes, 0);
    // A write takes 20 µs there, so that 500 are 10 ms.
    expect(Math.max(...turns)).toBeLessThanOrEqual((500 / STREAMS) * total);
    between += answers.filter(before => before > 0 && before < total).length;
  }
  isOver = true;
  await asking;
  expect(between).toBeGreaterThanOrEqual(BROADCASTS);
});
