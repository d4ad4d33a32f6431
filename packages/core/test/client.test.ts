import { createServer } from 'node:http';
import { createHub } from '@tidings/core';
import { type Json, parse, type Reset } from '@tidings/core/client';
import { openStream } from '@tidings/core/node';
import { expect, it } from 'vitest';
// By path: the tests of that package depend on core, and workspaces must not form a cycle.
import { connect } from '../../testing/src/index.ts';

it('tells a page what it has missed, in the type that the page knows', async () => {
  const hub = createHub();
  const server = createServer((req, res) => {
    openStream(req, res, { hub }).subscribe(['prices', 'news']);
  });
  const client = await connect(server, '/', { lastEventId: 'of another life' });
  const { data } = await client.next('reset');
  const reset: Reset = parse({ data: data as Json<Reset> });
  expect(reset).toEqual({ reason: 'unknown', channels: ['prices', 'news'] });
  await client.close();
});
