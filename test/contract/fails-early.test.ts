import { setImmediate as turn } from 'node:timers/promises';
import type { EventStream } from '@tidings/core';
import { expect, it } from 'vitest';
import { FaultyBroker, MemoryLog } from '../support/memory-broker.ts';
import { lastIdOf } from '../support/received.ts';
import { contract } from './contract.ts';

const failing = (turns: number, after?: Promise<unknown>) => async (stream: EventStream) => {
  stream.subscribe('a');
  for (let i = 0; i < turns; i++) await turn();
  await after;
  throw new Error('the handler failed');
};

contract('a handler that fails after it has subscribed', ({ mount, serve }) => {
  /** @returns the position that the client was told; undefined if its stream has not ended as a stream does. */
  const failAfter = async (turns: number) => {
    const { get } = await serve(context => context.stream(failing(turns)), { onError: () => {} });
    const client = await get();
    const isComplete = await client.ended;
    // Something else has answered, or the framework has aborted the response.
    return client.status !== 200 || !isComplete ? 'not ended' : lastIdOf(client);
  };

  it.each([0, 1, 3])('leaves its client with a position, %i iterations later', async turns => {
    expect(await failAfter(turns)).toBeDefined();
  });

  // The others abort the response themselves.
  if (/Koa|Hono|Fetch/.test(mount.name)) {
    it('leaves its client with a position as soon as the headers are sent', async () => {
      expect(await failAfter(2)).toBeDefined();
    });
  }

  it('leaves its client with a position while the broker is called', async () => {
    const faulty = new FaultyBroker(new MemoryLog().broker());
    faulty.hold();
    const { get } = await serve(context => context.stream(failing(0, faulty.holding())), {
      broker: faulty.broker,
      onError: () => {},
    });
    const responding = get();
    await faulty.holding();
    faulty.release();
    const client = await responding;
    const isComplete = await client.ended;
    if (client.status !== 200 || !isComplete) return;
    expect(lastIdOf(client)).toBeDefined();
  });
});
