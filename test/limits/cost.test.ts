import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import type { Figures } from './server.ts';

const WARM_UP = 1_000;
const MIB = 1024 * 1024;

interface Cost {
  before: Figures;
  open: Figures;
}

describe('idle streams', () => {
  let server: Child;
  afterEach(() => server.kill());

  async function until(condition: (figures: Figures) => boolean): Promise<Figures> {
    for (;;) {
      const figures = await server.ask<Figures>('figures');
      if (condition(figures)) return figures;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }

  /** What so many responses at `path` take. Resolves when they are gone, and have left nothing. */
  async function measure(path: string, count: number): Promise<Cost> {
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
    await until(
      ({ streams, heap, timers }) => streams === 0 && heap - before.heap < 4 * MIB && timers <= before.timers,
    );
    return { before, open };
  }

  /** Streams, and as many responses that are written by hand on the same framework. */
  async function compare(
    framework: string,
    count: number,
  ): Promise<{ bare: Cost; tidings: Cost; above: number }> {
    server = await start(new URL('server.ts', import.meta.url), framework);
    // Once each for what is made on first use: code above all, so that a few will do.
    await measure('/bare', WARM_UP);
    await measure('/tidings', WARM_UP);
    const bare = await measure('/bare', count);
    const tidings = await measure('/tidings', count);
    const each = ({ before, open }: Cost) => (open.heap - before.heap) / count;
    const above = each(tidings) - each(bare);
    console.log(`${framework}: ${above.toFixed(0)} bytes of heap above ${each(bare).toFixed(0)}`);
    return { bare, tidings, above };
  }

  it('cost at most 800 bytes of heap each above node:http, one timer together, and leave nothing', async () => {
    const { bare, tidings, above } = await compare('node', 10_000);
    expect(above).toBeLessThanOrEqual(800);
    expect(tidings.open.timers - bare.open.timers).toBeLessThanOrEqual(1);
  }, 180_000);

  it('cost at most 64 bytes more with a client and data', async () => {
    server = await start(new URL('server.ts', import.meta.url), 'node');
    for (const path of ['/tidings', '/owned']) await measure(path, WARM_UP);
    const each = ({ before, open }: Cost) => (open.heap - before.heap) / 5_000;
    const plain = each(await measure('/tidings', 5_000));
    const owned = each(await measure('/owned', 5_000));
    console.log(`with a client and data: ${(owned - plain).toFixed(0)} bytes of heap more`);
    expect(owned - plain).toBeLessThanOrEqual(64);
  }, 90_000);

  // Of Hono, a third is what tsx adds to closures, so that they keep their names.
  it.each([
    ['express4', 800],
    ['express5', 800],
    ['koa', 2_900],
    ['hono', 3_500],
  ])(
    'on %s cost at most %i bytes of heap each above a handler written by hand',
    async (framework, most) => {
      const { above } = await compare(framework, 4_000);
      expect(above).toBeLessThanOrEqual(most);
    },
    90_000,
  );
});
