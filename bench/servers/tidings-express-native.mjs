import http from 'node:http';
import { createHub } from '@tidings/core';
import { sse } from '@tidings/express';
import { native } from '@tidings/native';
import express from 'express';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  const hub = createHub({ fanOut: native() });
  const app = express();
  app.use(sse({ hub }));
  app.get('/', (_req, res) => {
    res.sse().subscribe('news');
  });
  return {
    server: http.createServer(app),
    publish: data => hub.publish('news', data, { event: 'tick' }),
    drain: within => hub.close({ within }),
  };
}
