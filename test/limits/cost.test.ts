import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import type { Figures } from './server.ts';

const WARM_UP = 1_000;
const ROUNDS = 3;
const MIB = 1024 * 1024;

interface Cost {
  before: Figures;
  open: Figures;
}

describe('idle streams', () => {
  let server: Child;
  afterEach(() => server.kill());

  async function until(
    condition: (figures: Figures) => boolean,
    question: 'figures' | 'streams' = 'figures',
  ): Promise<void> {
    while (!condition(await server.ask<Figures>(question))) {
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }

  /** The figures when the heap shrinks no more: Node.js lets go of closed connections over some turns. */
  async function atRest(): Promise<Figures> {
    let figures = await server.ask<Figures>('figures');
    for (let quiet = 0; quiet < 3; ) {
      await new Promise(resolve => setTimeout(resolve, 50));
      const next = await server.ask<Figures>('figures');
      quiet = next.heap < figures.heap - 16 * 1024 ? 0 : quiet + 1;
      figures = next;
    }
    return figures;
  }

  /**
   * What so many responses at `path` take. Resolves when they are gone, and have left nothing.
   *
   * @param rest ms that they are open before that is measured: Node.js has a timer for its Date header for up to 1 s.
   */
  async function measure(path: string, count: number, rest = 0): Promise<Cost> {
    const before = await atRest();
    const sockets: Socket[] = [];
    for (let i = 0; i < count; i++) {
      const socket = net.connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      sockets.push(socket);
      // No faster than the server's queue of connections takes them.
      if (i % 100 === 99) await once(socket, 'data');
    }
    await until(({ streams }) => streams === count, 'streams');
    await new Promise(resolve => setTimeout(resolve, rest));
    const open = await atRest();
    for (const socket of sockets) socket.destroy();
    await until(({ streams }) => streams === 0, 'streams');
    // Node itself takes a moment to let go of that many connections, and has a timer now and then for its Date header.
    const hasTimers = ({ timers }: Figures) => rest > 0 && timers > before.timers;
    await until(figures => figures.heap - before.heap < 4 * MIB && !hasTimers(figures));
    return { before, open };
  }

  /** Bytes that each response at `path` costs more than one at `other`: the median of some rounds. One alone scatters by 150. */
  async function compare(path: string, other: string, count: number) {
    // Once each for what is made on first use: code above all, so that a few will do.
    for (const each of [other, path]) await measure(each, WARM_UP);
    const results = [];
    for (let round = 0; round < ROUNDS; round++) {
      const [less, more] = [await measure(other, count), await measure(path, count)];
      const each = ({ before, open }: Cost) => (open.heap - before.heap) / count;
      results.push(each(more) - each(less));
    }
    const above = results.sort((one, two) => one - two)[ROUNDS >> 1] as number;
    console.log(`${path}: ${above.toFixed(0)} bytes of heap above ${other}`);
    return above;
  }

  /** The same, of streams and responses that are written by hand on the same framework. */
  async function compareOn(framework: string, count: number) {
    server = await start(new URL('server.ts', import.meta.url), framework);
    return compare('/tidings', '/bare', count);
  }

  it('cost at most 800 bytes of heap each above node:http, and leave nothing', async () => {
    expect(await compareOn('node', 8_000)).toBeLessThanOrEqual(800);
  });

  it('have one timer together, and leave none', async () => {
    server = await start(new URL('server.ts', import.meta.url), 'node', 'timers');
    const [bare, tidings] = [await measure('/bare', 100, 1_100), await measure('/tidings', 100, 1_100)];
    expect(tidings.open.timers - bare.open.timers).toBeLessThanOrEqual(1);
  });

  it('cost at most 64 bytes more with a client and data', async () => {
    server = await start(new URL('server.ts', import.meta.url), 'node');
    expect(await compare('/owned', '/tidings', 8_000)).toBeLessThanOrEqual(64);
  });

  // Of Hono, a third is what tsx adds to closures, so that they keep their names.
  it.each([
    ['express4', 800],
    ['express5', 800],
    ['koa', 2_900],
    ['hono', 3_500],
  ])('on %s cost at most %i bytes of heap each above a hand-written handler', async (framework, most) => {
    expect(await compareOn(framework, 4_000)).toBeLessThanOrEqual(most);
  });
});
