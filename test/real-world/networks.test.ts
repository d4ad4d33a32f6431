import { setTimeout as delay } from 'node:timers/promises';
import type { ChannelOptions } from '@tidings/core';
import { describe, expect, test } from 'vitest';
import { CABLE, createNetwork, type Following, type Network, whyNoNetwork } from './network.ts';
import type { ServerOptions } from './network-server.ts';
import { describeSubject } from './subject.ts';

/** Settings of the kernel by which lost packets are sent again within a second, if it has them. */
const patience = [
  ['tcp_rto_max_ms', 1_000],
  ['tcp_syn_linear_timeouts', 100],
] as const;
/** Ms between two looks at what has become of it. */
const LOOK = 50;
const reason = whyNoNetwork();
if (reason !== undefined && process.env.CI && process.getuid?.() === 0)
  throw new Error(`networks: ${reason}`);
const suffix = reason === undefined ? '' : ` (${reason})`;

/** A row whose tests run at the same time as all others: they wait most of the time. */
function describeNetwork(name: string, tests: () => void): void {
  describeSubject({ name: name + suffix }, tests);
}

function testOn(
  options: ServerOptions,
  name: string,
  run: (network: Network) => Promise<void>,
  following: Following = 'follow',
): void {
  test.skipIf(reason !== undefined).concurrent(name, async () => {
    const network = await createNetwork(options, following);
    try {
      await run(network);
    } finally {
      network.remove();
    }
  });
}

describe.concurrent('Networks', () => {
  describeNetwork('20 % of all packets are lost, both ways', () => {
    testOn(
      { hub: { maxAge: 1_500, heartbeat: 500 } },
      'an EventSource receives every event once and in order, over several connections',
      async ({ server, client }) => {
        for (const host of [server, client]) {
          // By default the wait for the next attempt doubles up to two minutes: an unlucky run would take that long.
          for (const [setting, value] of patience) {
            host.run(
              `[ ! -w /proc/sys/net/ipv4/${setting} ] || echo ${value} > /proc/sys/net/ipv4/${setting}`,
            );
          }
          host.run('nft add table inet loss');
          host.run('nft add chain inet loss input "{ type filter hook input priority 0; }"');
          host.run('nft add rule inet loss input numgen random mod 100 "<" 20 counter drop');
        }
        await server.ask('publish', 200, 100, 20, 1);
        await receives(client, 200);
        expect(await client.ask('received')).toEqual(numbers(200));
        expect(await client.ask('opened')).toBeGreaterThan(1);
        for (const host of [server, client]) expect(host.run('nft list ruleset')).toMatch(/packets [1-9]/);
      },
    );
  });

  describeNetwork('No network for 5 s', () => {
    const hub = { stallTimeout: 2_000, heartbeat: 500 };
    const channel = { history: { bytes: 8 * 1024 ** 2 } };
    for (const { name, size, closed } of [
      { name: 'an EventSource resumes on the same connection', size: 100, closed: [] },
      {
        name: 'an EventSource reconnects after the server has closed its stream as stalled',
        size: 16_384,
        closed: ['stalled'],
      },
    ]) {
      testOn({ hub, channel }, `${name}, with every event once and in order`, async ({ server, client }) => {
        await server.ask('publish', 50, size, 10, 1);
        await receives(client, 50);
        client.run(`ip link set ${CABLE} down`);
        const fiveSeconds = delay(5_000);
        await server.ask('publish', 100, size, 10, 1);
        await hasClosed(server, closed);
        await fiveSeconds;
        client.run(`ip link set ${CABLE} up`);
        await server.ask('publish', 50, size, 10, 1);
        await receives(client, 200);
        expect(await client.ask('received')).toEqual(numbers(200));
        expect(await client.ask('opened')).toBe(1 + closed.length);
        await hasClosed(server, closed);
      });
    }
  });

  describeNetwork('A sleep of 5 s: all packets are dropped, and no connection is closed', () => {
    testOn(
      { hub: { heartbeat: 500 } },
      '@tidings/client reconnects, with every event once and in order',
      async ({ server, client }) => {
        await server.ask('publish', 50, 100, 10, 1);
        await receives(client, 50);
        client.run('nft add table inet sleep');
        for (const hook of ['input', 'output']) {
          client.run(
            `nft add chain inet sleep ${hook} "{ type filter hook ${hook} priority 0; policy drop; }"`,
          );
        }
        const fiveSeconds = delay(5_000);
        await server.ask('publish', 100, 100, 10, 1);
        await fiveSeconds;
        client.run('nft delete table inet sleep');
        const woken = performance.now();
        await receives(client, 150);
        if (process.env.TIMES) console.log(`back after ${Math.round(performance.now() - woken)} ms`);
        await server.ask('publish', 50, 100, 10, 1);
        await receives(client, 200);
        expect(await client.ask('received')).toEqual(numbers(200));
        expect(await client.ask('opened')).toBe(2);
        expect(await client.ask('resets')).toBe(0);
      },
      'connect',
    );
  });

  describeNetwork('A client that disappears without a FIN', () => {
    for (const { name, hub, events, closed } of [
      {
        name: 'with traffic, `stallTimeout` closes its stream',
        hub: { stallTimeout: 1_000 },
        events: 100,
        closed: ['stalled'],
      },
      {
        name: 'with little traffic, `maxAge` closes its stream',
        hub: { stallTimeout: 500, maxAge: 3_000, heartbeat: 250 },
        events: 1,
        closed: ['maxAge'],
      },
    ]) {
      testOn({ hub }, name, async ({ server, client }) => {
        await server.ask('publish', 1, 100, 0, 1);
        await receives(client, 1);
        client.run(`ip link set ${CABLE} down`);
        await server.ask('publish', events, 16_384, 1, 1);
        await hasClosed(server, closed);
      });
    }
  });

  describeNetwork('A client at 64 kbit/s that is sent 50 times as much', () => {
    const count = 3_000;
    const keys = 20;

    function testSlowly(
      name: string,
      channel: ChannelOptions,
      run: (network: Network) => Promise<void>,
    ): void {
      testOn({ hub: { heartbeat: 500 }, channel }, name, async network => {
        const { server, client } = network;
        server.run(`tc qdisc add dev ${CABLE} root tbf rate 64kbit burst 3000 latency 400ms`);
        await server.ask('publish', count, 1_000, 1, keys);
        await run(network);
        const received = await client.ask<number[]>('received');
        expect(received).toEqual([...new Set(received)].sort((a, b) => a - b));
        expect(received.length).toBeLessThan(count / 10);
        expect(await server.ask('buffered')).toBeLessThan(128 * 1024);
        expect(await client.ask('opened')).toBe(1);
      });
    }

    testSlowly(
      'from a compacted channel, it receives the latest event of each key, and no backlog',
      { compact: true },
      async ({ client }) => {
        const newest = numbers(count).slice(-keys);
        const last = async () => (await client.ask<number[]>('received')).slice(-keys);
        await until(async () => (await last()).includes(count - 1));
        expect(await last()).toEqual(newest);
        expect(await client.ask('resets')).toBe(0);
      },
    );

    testSlowly(
      'from another channel, it receives a `reset`, and continues with new events',
      { history: { events: 50 } },
      async ({ server, client }) => {
        await until(async () => (await client.ask<number>('resets')) > 0);
        await server.ask('publish', 1, 1_000, 0, keys);
        await until(async () => (await client.ask<number[]>('received')).includes(count));
      },
    );
  });
});

/** Waits until as many streams have closed, for these reasons. */
async function hasClosed({ ask }: Network['server'], reasons: string[]): Promise<void> {
  await until(async () => (await ask<string[]>('closed')).length >= reasons.length);
  expect(await ask('closed')).toEqual(reasons);
}

/** Rejects before the test times out, so that the error names the condition. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 200_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`condition not met: ${condition}`);
    await delay(LOOK);
  }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}

function receives({ ask }: Network['client'], count: number): Promise<void> {
  return until(async () => (await ask<number[]>('received')).length >= count);
}
