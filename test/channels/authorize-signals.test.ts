import { setImmediate as turn } from 'node:timers/promises';
import { type AuthorizeCall, createHub, type Hub } from '@tidings/core';
import { afterEach, expect, it } from 'vitest';
import { open, until } from '../support/memory-stream.ts';

let hub: Hub;
afterEach(() => hub.close({ within: 0 }));

/** Refuses channels by their name. */
function serve(isAsync: boolean) {
  const calls: [client: string | undefined, call: AuthorizeCall][] = [];
  const decide = (channel: string): boolean => {
    if (channel === 'broken') throw new Error('of authorize');
    return channel !== 'secret';
  };
  hub = createHub({
    heartbeat: false,
    recheck: false,
    authorizeTimeout: 200,
    authorize: channel => {
      if (channel === 'silent') return new Promise<boolean>(() => {});
      return isAsync ? turn().then(() => decide(channel)) : decide(channel);
    },
    onError: () => {},
    observer: { authorizeCalled: (stream, call) => calls.push([stream.client, call]) },
  });
  return calls;
}

it.each([
  ['at once', false],
  ['later', true],
])('counts the results of authorize %s', async (_, isAsync) => {
  const calls = serve(isAsync);
  open(hub, undefined, { client: 'ann' }).stream.subscribe(['news', 'secret', 'broken']);
  await until(() => calls.length === 3);
  const summary = calls.map(([client, { channel, phase, outcome }]) => [client, channel, phase, outcome]);
  expect(summary).toEqual([
    ['ann', 'news', 'subscribe', 'allowed'],
    ['ann', 'secret', 'subscribe', 'refused'],
    ['ann', 'broken', 'subscribe', 'failed'],
  ]);
  await hub.clients.recheck('ann');
  await until(() => calls.length === 4);
  expect(calls.at(-1)?.[1]).toMatchObject({ channel: 'news', phase: 'recheck', outcome: 'allowed' });
  const duration = calls.reduce((sum, [, { ms }]) => sum + ms, 0);
  expect(hub.stats().authorize).toEqual({ allowed: 2, refused: 1, failed: 1, duration });
});

it('counts a call that did not settle in time as failed', async () => {
  const calls = serve(true);
  open(hub).stream.subscribe('silent');
  await until(() => calls.length === 1);
  expect(calls[0]?.[1]).toMatchObject({ outcome: 'failed', ms: expect.closeTo(200, -3) });
  expect(hub.stats().authorize).toMatchObject({ failed: 1, refused: 0 });
});
