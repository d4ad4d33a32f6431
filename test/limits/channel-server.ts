// A server in a process of its own, whose memory can be looked at while it publishes.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';

const hub = createHub({ history: { age: 300 } });

const server = http.createServer((req, res) => {
  openStream(req, res, { hub }).subscribe('a');
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));

const jobs: Record<string, (count: number, size: number) => unknown> = {
  /** Bytes. */
  memory() {
    globalThis.gc?.();
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    return { rss, heap: heapUsed };
  },
  /** Events one after the other to the channel that all streams follow. */
  async publish(count, size) {
    for (let i = 0; i < count; i++) {
      await hub.publish('a', 'x'.repeat(size));
      await turn();
    }
  },
  /** An event each to channels that nobody follows, of which no name comes again. */
  async names(count) {
    for (let i = 0; i < count; i++) {
      hub.publish(`once ${i}`, i);
      if (i % 1_000 === 0) await turn();
    }
  },
};

process.on('message', async ([name, count, size]: [string, number, number]) => {
  process.send?.((await jobs[name]?.(count, size)) ?? null);
});
process.on('disconnect', () => process.exit());
