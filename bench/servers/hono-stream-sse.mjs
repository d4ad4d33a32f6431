import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  /** @type {Set<import('hono/streaming').SSEStreamingApi>} */
  const streams = new Set();
  const app = new Hono();
  let id = 0;
  app.get('/', c =>
    streamSSE(c, async stream => {
      streams.add(stream);
      await new Promise(resolve => stream.onAbort(() => resolve(undefined)));
      streams.delete(stream);
    }),
  );
  return {
    server: /** @type {import('node:http').Server} */ (createAdaptorServer(app)),
    publish(data) {
      const message = { id: String(++id), event: 'tick', data: JSON.stringify(data) };
      for (const stream of streams) stream.writeSSE(message);
    },
  };
}
