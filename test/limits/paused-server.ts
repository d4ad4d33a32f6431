// A server in a process of its own, which is stopped for longer than its streams may stall.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { createHub, type EventStream } from '@tidings/core';
import { openStream } from '@tidings/core/node';

const hub = createHub({ stallTimeout: 500, heartbeat: false, maxBufferedBytes: 1024 * 1024 });
let reason: string | null = null;
let stream: EventStream | undefined;

const server = http.createServer((req, res) => {
  reason = null;
  stream = openStream(req, res, { hub }).subscribe('a');
  stream.closed.then(why => {
    reason = why;
  });
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));

const jobs: Record<string, (count: number) => unknown> = {
  /** Sends until the client does not keep up. Returns how many events that took. */
  async fill() {
    let sent = 0;
    while (hub.stats().lagging === 0) {
      for (let i = 0; i < 8; i++, sent++) stream?.send('x'.repeat(64 * 1024));
      await turn();
    }
    return sent;
  },
  /** Holds the event loop for so many ms. */
  block(ms) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  },
  /** Why the stream has closed; null if it has not. */
  reason: () => reason,
  /** Resolves when the stream has closed, with the reason. */
  closed: () => stream?.closed,
  send: () => void stream?.send('last'),
};

process.on('message', async ([name, count]: [string, number]) => {
  process.send?.((await jobs[name]?.(count)) ?? null);
});
process.on('disconnect', () => process.exit());
