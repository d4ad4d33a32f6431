import type { RedisBrokerOptions, RedisClient } from '@tidings/redis';
import { afterEach } from 'vitest';
import { FaultyProxy } from './faulty-proxy.ts';
import { type StartedBroker, start } from './recorder.ts';
import { broker } from './redis-clients.ts';
import { RedisServer } from './redis-server.ts';

/** The deadline of a publish. */
export const soon = (ms = 5_000) => AbortSignal.timeout(ms);

/** The code of what a call rejects with; `done` if it does not. */
export const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    error => error.code,
  );

/** Makes what the tests of one client library need, and closes it after each test, newest first. */
export function setUp(client: (url: string) => RedisClient) {
  const ending: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
  });
  return {
    atEnd(end: () => unknown): void {
      ending.push(end);
    },
    async redis(...args: string[]): Promise<RedisServer> {
      const server = await RedisServer.start(...args);
      ending.push(() => server.remove());
      return server;
    },
    async proxyTo(server: RedisServer): Promise<FaultyProxy> {
      const proxy = await FaultyProxy.start(server.port);
      ending.push(() => proxy.close());
      return proxy;
    },
    async node(at: { url: string }, options?: Partial<RedisBrokerOptions>): Promise<StartedBroker> {
      const created = broker(client(at.url), 'hub', options);
      // Once more, as a hub does: on a busy machine, connecting may take longer than the second that tests allow.
      const started = await start(created).catch(() => start(created));
      ending.push(() => started.broker.close());
      return started;
    },
  };
}
