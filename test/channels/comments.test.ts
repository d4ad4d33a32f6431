import { createHub, type Hub, type StreamOptions } from '@tidings/core';
import { describe, expect, it } from 'vitest';
import { open, quietHub, until } from '../support/memory-stream.ts';

/** Opens a stream, and sends a comment once it has received a text. Resolves with what it has received then. */
async function commentAfter(text: string, hub: Hub, lastEventId?: string, options?: StreamOptions) {
  const { stream, transport } = open(hub, lastEventId, options);
  if (!text.includes('ping')) stream.subscribe('a');
  if (text.includes('two')) {
    await until(() => transport.text !== '');
    hub.publish('a', 'one');
    hub.publish('a', 'two');
  }
  await until(() => transport.text.includes(text));
  stream.comment('c');
  return transport.text;
}

describe('a comment has no blank line', () => {
  it('after several events with ids that were written together', async () => {
    const text = await commentAfter('two', quietHub(), undefined, { markers: false });
    expect(text).toMatch(/data: one\nid: \S+\n\ndata: two\nid: \S+\n\n: c\n$/);
  });

  it('after a reset, which has the first id', async () => {
    const text = await commentAfter('reset', quietHub(), 'another-1');
    expect(text).toMatch(/^:\n\nevent: reset\ndata: .*\nid: \S+\n\n: c\n$/);
  });
});

it('a comment has a blank line after an event of the hub without an id', async () => {
  const text = await commentAfter('ping', createHub({ heartbeat: { interval: 10, event: 'ping' } }));
  expect(text).toMatch(/event: ping\ndata: \n\n: c\n\n$/);
});

it('the response to a HEAD has no body', async () => {
  const { stream, transport } = open(quietHub(), undefined, {}, 'HEAD');
  stream.subscribe('a');
  expect(await stream.closed).toBe('closed');
  expect([transport.status, transport.text]).toEqual([200, '']);
});
