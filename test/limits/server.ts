// A server in a process of its own, whose heap and timers can be looked at: with Tidings, or with node:http alone.
import { createHook } from 'node:async_hooks';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';

export interface Figures {
  /** Bytes. */
  heap: number;
  streams: number;
  timers: number;
}

// The list of active resources leaves out timers that are unref'd.
const timers = new Set<number>();
createHook({
  init(id, type) {
    if (type === 'Timeout') timers.add(id);
  },
  destroy: id => timers.delete(id),
}).enable();

// The hub forgets a channel without subscribers after this time, and its clock runs until then.
const hub = createHub({ history: { age: 4_000 } });
let bare = 0;
const leave = () => {
  bare -= 1;
};

const server = http.createServer((req, res) => {
  if (req.url === '/tidings') {
    openStream(req, res, { hub }).subscribe('news');
    return;
  }
  res.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  res.write(':\n\n');
  bare += 1;
  res.on('close', leave);
});

server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));

process.on('message', () => {
  globalThis.gc?.();
  globalThis.gc?.();
  const figures: Figures = {
    heap: process.memoryUsage().heapUsed,
    streams: hub.streams.size + bare,
    timers: timers.size,
  };
  process.send?.(figures);
});
process.on('disconnect', () => process.exit());
