import http from 'node:http';
import { createHub } from '@tidings/core';
import { sse } from '@tidings/koa';
import Koa from 'koa';

/**
 * @param {import('@tidings/core').HubOptions} [options]
 * @returns {import('./host.mjs').Subject}
 */
export function start(options) {
  const hub = createHub(options);
  const app = new Koa();
  app.use(sse({ hub }));
  app.use(ctx => {
    ctx.sse().subscribe('news');
  });
  return {
    server: http.createServer(app.callback()),
    publish: data => hub.publish('news', data, { event: 'tick' }),
    drain: within => hub.close({ within }),
  };
}
