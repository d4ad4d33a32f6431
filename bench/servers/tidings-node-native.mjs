import http from 'node:http';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { native } from '@tidings/native';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  const hub = createHub({ fanOut: native() });
  return {
    server: http.createServer((req, res) => {
      openStream(req, res, { hub }).subscribe('news');
    }),
    publish: data => hub.publish('news', data, { event: 'tick' }),
    drain: within => hub.close({ within }),
  };
}
