import { execFileSync } from 'node:child_process';
import { redisBroker } from '@tidings/redis';
import { Cluster, Redis } from 'ioredis';
import { createClient, createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/client.ts';
import { describeWith } from '../support/system.ts';
import { brokerContract } from './contract.ts';
import { draft, start } from './recorder.ts';
import { broker } from './redis-clients.ts';
import { REDIS, RedisServer } from './redis-server.ts';

/** A broker connects up to four times until it has found its server: more than a second on a busy machine. */
const patient = { timeout: 5_000 };

describeWith(REDIS, 'Redis Cluster', () => {
  let servers: RedisServer[] = [];
  let ioredis: Cluster;
  let nodeRedis: ReturnType<typeof createCluster>;
  const nodes = () => servers.map(({ port }) => ({ host: '127.0.0.1', port }));

  beforeAll(async () => {
    servers = await Promise.all([1, 2, 3].map(() => RedisServer.start('--cluster-enabled', 'yes')));
    const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
    execFileSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'], { stdio: 'ignore' });
    await eventually(() =>
      servers.every(server => server.cli('CLUSTER', 'INFO').includes('cluster_state:ok')),
    );
    ioredis = new Cluster(nodes());
    nodeRedis = createCluster({ rootNodes: servers.map(({ url }) => ({ url })) });
    await nodeRedis.connect();
    await eventually(() => ioredis.nodes('master').length === 3);
  });
  afterAll(async () => {
    ioredis?.disconnect();
    nodeRedis?.destroy();
    for (const server of servers) await server.remove();
  });

  brokerContract({ name: 'redis, cluster', broker: log => broker(nodeRedis, `n-${log}`, patient) });
  brokerContract({ name: 'ioredis, cluster', broker: log => broker(ioredis, `i-${log}`, patient) });

  describe.each([
    ['redis', () => createClient({ url: servers[0]?.url ?? '' })],
    ['ioredis', () => new Redis(servers[0]?.url ?? '', { lazyConnect: true })],
  ])('a client of one server · %s', (name, client) => {
    it('leads to the server that has the hub', async () => {
      // Hubs on each of them.
      for (let index = 0; index < 8; index++) {
        const node = await start(broker(client(), `${name}${index}`));
        await node.broker.open(new Map([['x', 0]]));
        await node.publish(draft('x', '1'));
        await node.sink.until(() => node.sink.list.length === 1);
        await node.broker.close();
      }
      for (const server of servers) expect(Number(server.cli('DBSIZE'))).toBeGreaterThan(0);
    });
  });

  it('refuses ordinary Pub/Sub, which loses messages there', async () => {
    const one = redisBroker({ client: ioredis, prefix: 'classic', shardedPubSub: false });
    await expect(start(one)).rejects.toMatchObject({ code: 'broker', message: /shardedPubSub/ });
  });

  it.each([
    ['redis', () => nodeRedis],
    ['ioredis', () => ioredis],
  ])('follows its slot to another server, and loses nothing · %s', async (name, client) => {
    const prefix = `moving-${name}`;
    const [a, b] = [await start(broker(client(), prefix)), await start(broker(client(), prefix))];
    try {
      await b.broker.open(new Map([['x', 0]]));
      let isOver = false;
      const accepted: string[] = [];
      const publishing = (async () => {
        for (let count = 0; !isOver; count++) {
          await a.publish(
            draft('x', `${count}`, { keep: { events: 1e6, bytes: 1e9, age: 300_000, compact: false } }),
          );
          accepted.push(`${count}`);
          await new Promise(resolve => setTimeout(resolve, 1));
        }
      })();
      await new Promise(resolve => setTimeout(resolve, 200));
      const slot = (servers[0] as RedisServer).cli('CLUSTER', 'KEYSLOT', `{${prefix}}:hub`);
      const ids = servers.map(server => server.cli('CLUSTER', 'MYID'));
      const count = (server: RedisServer) => Number(server.cli('CLUSTER', 'COUNTKEYSINSLOT', slot));
      const from = servers.findIndex(server => count(server) > 0);
      const to = (from + 1) % 3;
      const [source, target] = [servers[from] as RedisServer, servers[to] as RedisServer];
      target.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from] as string);
      source.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to] as string);
      // Key by key, with publishes in between that find some here and some there.
      while (count(source) > 0) {
        const [key] = source.cli('CLUSTER', 'GETKEYSINSLOT', slot, '1').split('\n');
        source.cli('MIGRATE', '127.0.0.1', String(target.port), key as string, '0', '1000');
        await new Promise(resolve => setTimeout(resolve, 20));
      }
      for (const server of [target, source, ...servers])
        server.cli('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to] as string);
      const before = accepted.length;
      await Promise.race([eventually(() => accepted.length > before + 50), publishing]);
      isOver = true;
      await publishing;
      await b.sink.until(() => b.sink.list.length === accepted.length);
      expect(b.sink.data('x')).toEqual(accepted);
      expect(b.sink.lostChannels).toEqual([]);
      expect([...a.sink.epochs, ...b.sink.epochs]).toEqual([]);
    } finally {
      await a.broker.close();
      await b.broker.close();
    }
  });
});
