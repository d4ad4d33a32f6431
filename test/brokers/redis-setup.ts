import type { RedisBrokerOptions, RedisClient } from '@tidings/redis';
import { afterEach } from 'vitest';
import { eventually } from '../support/client.ts';
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
    /** A replica that has synchronized. The master gets a new replication id when its first replica connects. */
    async replicaOf(master: RedisServer): Promise<RedisServer> {
      const from = `127.0.0.1 ${master.port}`;
      const replica = await RedisServer.start('--repl-diskless-sync-delay', '0', '--replicaof', from);
      ending.push(() => replica.remove());
      await eventually(() => replica.cli('INFO', 'replication').includes('master_link_status:up'));
      return replica;
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
