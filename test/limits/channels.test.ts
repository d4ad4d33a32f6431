import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, request } from '../support/client.ts';

const MB = 1_000_000;

describe('the memory of a hub', () => {
  let server: ChildProcess;
  let origin: string;

  beforeAll(async () => {
    const file = fileURLToPath(new URL('channel-server.ts', import.meta.url));
    server = fork(file, { execArgv: ['--expose-gc', '--import', 'tsx'] });
    const [port] = (await once(server, 'message')) as [number];
    origin = `http://127.0.0.1:${port}`;
  });
  afterAll(() => {
    server.kill();
  });

  async function ask<T>(...message: [job: string, count?: number, size?: number]): Promise<T> {
    server.send(message);
    const [answer] = (await once(server, 'message')) as [T];
    return answer;
  }

  it('does not grow with what is published past a client that never reads', async () => {
    const reader = net.connect(Number(new URL(origin).port), '127.0.0.1');
    let received = 0;
    reader.on('data', chunk => {
      received += chunk.length;
    });
    reader.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(reader, 'data');
    const count = 10_000;
    // Once for what is made on first use: buffers, code, histories.
    await ask('publish', count, 10_000);
    await ask('publish', count, 10_000);
    const before = await ask<{ rss: number; heap: number }>('memory');
    const laggard = await request(origin, '/');
    laggard.stall();
    await ask('publish', count, 10_000);
    const after = await ask<{ rss: number; heap: number }>('memory');
    const grown = { rss: (after.rss - before.rss) / MB, heap: (after.heap - before.heap) / MB };
    console.log(
      `100 MB past a client that never reads: RSS ${grown.rss.toFixed(1)} MB, heap ${grown.heap.toFixed(1)} MB`,
    );
    expect(grown.heap).toBeLessThan(4);
    // Who reads has not been held up.
    await eventually(() => received > 3 * count * 10_000);
    laggard.resume();
    await laggard.until(({ events }) => events.some(({ event }) => event === 'reset'));
    expect(laggard.events.filter(({ event }) => event === 'reset')).toHaveLength(1);
    reader.destroy();
    laggard.reset();
  });

  it('does not keep what is known of a million channels that were used once', async () => {
    const before = await ask<{ heap: number }>('memory');
    await ask('names', 1_000_000);
    for (;;) {
      const { heap } = await ask<{ heap: number }>('memory');
      if (heap - before.heap < 4 * MB) break;
      await new Promise(resolve => setTimeout(resolve, 200));
    }
  });
});
