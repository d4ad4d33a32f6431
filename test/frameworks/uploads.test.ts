import { setTimeout as sleep } from 'node:timers/promises';
import { createHub } from '@tidings/core';
import { sse } from '@tidings/express';
import express from 'express';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';

const SIZE = 2 * 1024 * 1024;
const errors: unknown[] = [];
let server: Running;

beforeAll(async () => {
  const hub = createHub({ onError: (error, { stage }) => errors.push([stage, (error as Error).message]) });
  const app = express();
  app.use(sse({ hub }));
  app.post('/:when', async (req, res) => {
    const { when } = req.params;
    if (when === 'paused') req.pause();
    const stream = res.sse();
    if (when !== 'at-once') await sleep(50);
    let size = 0;
    for await (const chunk of req) size += chunk.length;
    stream.send(size);
    stream.close();
  });
  server = await listen(app);
});
afterAll(() => server.kill());

async function upload(when: string): Promise<number> {
  errors.length = 0;
  const client = await request(server.origin, `/${when}`, { method: 'POST', body: 'x'.repeat(SIZE) });
  await client.ended;
  return Number(client.events[0]?.data);
}

it('an upload that is read in the same tick arrives completely', async () => {
  expect(await upload('at-once')).toBe(SIZE);
  expect(errors).toEqual([]);
});

it('an upload that is paused before the stream, and read after an await, arrives completely', async () => {
  expect(await upload('paused')).toBe(SIZE);
  expect(errors).toEqual([]);
});

it('an upload that is read too late is reported as discarded', async () => {
  expect(await upload('late')).toBeLessThan(SIZE);
  expect(errors).toEqual([['request', expect.stringContaining('req.pause()')]]);
});
