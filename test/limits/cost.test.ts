import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import type { Figures } from './server.ts';

const STREAMS = 10_000;
const WARM_UP = 1_000;
const MIB = 1024 * 1024;

describe(`${STREAMS} idle streams`, () => {
  let server: Child;
  beforeAll(async () => {
    server = await start(new URL('server.ts', import.meta.url));
  });
  afterAll(() => server.kill());

  async function until(condition: (figures: Figures) => boolean): Promise<Figures> {
    for (;;) {
      const figures = await server.ask<Figures>('figures');
      if (condition(figures)) return figures;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }

  /** What so many responses at `path` take, and what is left when they are gone. */
  async function measure(
    path: string,
    count = STREAMS,
  ): Promise<{ before: Figures; open: Figures; after: Figures }> {
    const before = await server.ask<Figures>('figures');
    const sockets: Socket[] = [];
    for (let i = 0; i < count; i++) {
      const socket = net.connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      sockets.push(socket);
      // No faster than the server's queue of connections takes them.
      if (i % 100 === 99) await once(socket, 'data');
    }
    const open = await until(({ streams }) => streams === count);
    for (const socket of sockets) socket.destroy();
    // Node itself takes a moment to let go of that many connections, and has a timer now and then for its Date header.
    const after = await until(
      ({ streams, heap, timers }) => streams === 0 && heap - before.heap < 4 * MIB && timers <= before.timers,
    );
    return { before, open, after };
  }

  it('cost at most 1 KB of heap each above node:http, one timer together, and leave nothing', async () => {
    // Once each for what is made on first use: code above all, so that a few will do.
    await measure('/bare', WARM_UP);
    await measure('/tidings', WARM_UP);
    const bare = await measure('/bare');
    const tidings = await measure('/tidings');
    const perStream = ({ before, open }: { before: Figures; open: Figures }) =>
      (open.heap - before.heap) / STREAMS;
    const above = perStream(tidings) - perStream(bare);
    console.log(
      `heap per idle stream above node:http: ${above.toFixed(0)} bytes (node:http: ${perStream(bare).toFixed(0)})`,
    );
    expect(above).toBeLessThanOrEqual(1024);
    expect(tidings.open.timers - bare.open.timers).toBeLessThanOrEqual(1);
  }, 90_000);
});
