import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { streamResponse } from '../src/fetch.ts';
import { createHub } from '../src/hub/create-hub.ts';
import type { HubOptions } from '../src/hub/options/options.ts';
import type { EventStream } from '../src/stream/event-stream.ts';

async function connect(signal: AbortSignal, options?: HubOptions) {
  const hub = createHub(options);
  let stream: EventStream | undefined;
  const request = new Request('http://x/', { signal });
  const use = (opened: EventStream) => {
    stream = opened;
  };
  const response = await streamResponse(request, use, { hub });
  return { hub, response, stream: stream as EventStream };
}

it('detects a disconnect by the signal alone', async () => {
  const controller = new AbortController();
  const { hub, stream } = await connect(controller.signal);
  controller.abort();
  expect(await stream.closed).toBe('disconnected');
  expect(hub.streams.size).toBe(0);
});

it('detects a disconnect by the cancelled body alone', async () => {
  const { hub, stream, response } = await connect(new AbortController().signal);
  await response.body?.cancel();
  expect(await stream.closed).toBe('disconnected');
  expect(hub.streams.size).toBe(0);
});

it('does not call the handler for a client that has disconnected before', async () => {
  const { response, stream } = await connect(AbortSignal.abort());
  expect(stream).toBeUndefined();
  expect(response.status).toBe(499);
});

it('a client that has read everything is not stalled, and has room, even without another pull', async () => {
  const { response, stream } = await connect(new AbortController().signal, { stallTimeout: 160 });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  expect(stream.send('x'.repeat(64 * 1024 - 8))).toBe(false);
  const drained = stream.drained();
  await reader.read();
  expect(stream.bufferedBytes).toBe(0);
  await drained;
  await delay(500);
  expect(stream.signal.aborted).toBe(false);
  // What it does not take is another matter.
  stream.send('x'.repeat(64 * 1024 - 8));
  expect(await stream.closed).toBe('stalled');
});

it('a stream with status 204 is over, whatever was sent before', async () => {
  const hub = createHub();
  await hub.publish('a', 1);
  const id = await hub.channel('a').end();
  const request = new Request('http://x/', { headers: { 'last-event-id': `${id}.` } });
  const use = (stream: EventStream) => {
    stream.send('hello');
    stream.subscribe('a');
  };
  const response = await streamResponse(request, use, { hub });
  expect(response.status).toBe(204);
  expect(hub.stats()).toMatchObject({ streams: 0, delivered: 0, closed: { ended: 1 } });
});
