import http from 'node:http';
import { createHub } from '@tidings/core';
import { sse } from '@tidings/koa';
import { native } from '@tidings/native';
import Koa from 'koa';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  const hub = createHub({ fanOut: native() });
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
