import http from 'node:http';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';

/**
 * @param {import('@tidings/core').HubOptions} [options]
 * @returns {import('./host.mjs').Subject}
 */
export function start(options) {
  const hub = createHub(options);
  return {
    server: http.createServer((req, res) => {
      openStream(req, res, { hub }).subscribe('news');
    }),
    publish: data => hub.publish('news', data, { event: 'tick' }),
    drain: within => hub.close({ within }),
  };
}
