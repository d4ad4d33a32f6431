import { expect, it } from 'vitest';
import { streamResponse } from '../src/fetch.ts';
import { createHub } from '../src/hub/hub.ts';
import type { EventStream } from '../src/stream/stream.ts';

async function connect(signal: AbortSignal) {
  const hub = createHub();
  let stream: EventStream | undefined;
  const request = new Request('http://x/', { signal });
  const use = (opened: EventStream) => {
    stream = opened;
  };
  const response = await streamResponse(request, use, { hub });
  return { hub, response, stream: stream as EventStream };
}

it('notices a peer that left by the signal alone', async () => {
  const controller = new AbortController();
  const { hub, stream } = await connect(controller.signal);
  controller.abort();
  expect(await stream.closed).toBe('disconnected');
  expect(hub.streams.size).toBe(0);
});

it('notices a peer that left by the cancelled body alone', async () => {
  const { hub, stream, response } = await connect(new AbortController().signal);
  await response.body?.cancel();
  expect(await stream.closed).toBe('disconnected');
  expect(hub.streams.size).toBe(0);
});

it('does not ask the handler of a peer that has left before', async () => {
  const { response, stream } = await connect(AbortSignal.abort());
  expect(stream).toBeUndefined();
  expect(response.status).toBe(499);
});
