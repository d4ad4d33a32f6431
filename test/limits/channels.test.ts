import { once } from 'node:events';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import { eventually, request } from '../support/client.ts';

const MB = 1_000_000;

describe('the memory of a hub', () => {
  let server: Child;
  beforeAll(async () => {
    server = await start(new URL('channel-server.ts', import.meta.url));
  });
  afterAll(() => server.kill());

  it('does not grow with the events for a client that never reads', async () => {
    const reader = net.connect(server.port, '127.0.0.1');
    let received = 0;
    reader.on('data', chunk => {
      received += chunk.length;
    });
    reader.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(reader, 'data');
    const count = 10_000;
    // Once for what is made on first use: buffers, code, histories.
    await server.ask('publish', count, 10_000);
    await server.ask('publish', count, 10_000);
    const before = await server.ask<{ rss: number; heap: number }>('memory');
    const receivedBefore = received;
    const laggard = await request(server.origin, '/');
    laggard.stall();
    await server.ask('publish', count, 10_000);
    const after = await server.ask<{ rss: number; heap: number }>('memory');
    const grown = { rss: (after.rss - before.rss) / MB, heap: (after.heap - before.heap) / MB };
    console.log(
      `100 MB past a client that never reads: RSS ${grown.rss.toFixed(1)} MB, heap ${grown.heap.toFixed(1)} MB`,
    );
    expect(grown.heap).toBeLessThan(4);
    // Who reads has not been held up. It, too, is slow at times, so that it does not get everything.
    await eventually(() => received - receivedBefore > (count * 10_000) / 4);
    laggard.resume();
    await laggard.until(({ events }) => events.some(({ event }) => event === 'reset'));
    expect(laggard.events.filter(({ event }) => event === 'reset')).toHaveLength(1);
    reader.destroy();
    laggard.reset();
  });

  it('does not keep a record of a million channels that were used once', async () => {
    const before = await server.ask<{ heap: number }>('memory');
    await server.ask('names', 1_000_000);
    for (;;) {
      const { heap } = await server.ask<{ heap: number }>('memory');
      if (heap - before.heap < 4 * MB) break;
      await new Promise(resolve => setTimeout(resolve, 200));
    }
  });
});
