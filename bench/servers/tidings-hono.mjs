import { createAdaptorServer } from '@hono/node-server';
import { createHub } from '@tidings/core';
import { sse } from '@tidings/hono';
import { Hono } from 'hono';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  const hub = createHub();
  const app = new Hono();
  app.use(sse({ hub }));
  app.get('/', c => c.var.sse(stream => stream.subscribe('news')));
  return {
    server: /** @type {import('node:http').Server} */ (createAdaptorServer(app)),
    publish: data => hub.publish('news', data, { event: 'tick' }),
    drain: within => hub.close({ within }),
  };
}
