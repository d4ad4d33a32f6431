import { createServer } from 'node:http';
import { createHub } from '@tidings/core';
import { addListeners, type Json, parse, type Reset, type TypedEventSource } from '@tidings/core/client';
import { openStream } from '@tidings/core/node';
import { expect, it } from 'vitest';
// By path: the tests of that package depend on core, and workspaces must not form a cycle.
import { connect } from '../../testing/src/index.ts';

it('sends a reset in the type that the page imports', async () => {
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

it('adds a table of listeners to an EventSource, and removes them', () => {
  const source = new EventTarget();
  const seen: string[] = [];
  const remove = addListeners(source as unknown as TypedEventSource<{ tick: number; halt: string }>, {
    tick: ({ type }) => seen.push(type),
    reset: ({ type }) => seen.push(type),
  });
  for (const name of ['tick', 'halt', 'reset']) source.dispatchEvent(new Event(name));
  remove();
  source.dispatchEvent(new Event('tick'));
  expect(seen).toEqual(['tick', 'reset']);
});
