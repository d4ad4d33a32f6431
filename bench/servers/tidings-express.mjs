import http from 'node:http';
import { createHub } from '@tidings/core';
import { sse } from '@tidings/express';
import express from 'express';

/**
 * @param {import('@tidings/core').HubOptions} [options]
 * @returns {import('./host.mjs').Subject}
 */
export function start(options) {
  const hub = createHub(options);
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
