import http from 'node:http';
import express from 'express';
import SSE from 'express-sse';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  // By default each client that comes is announced to all others, with an empty write.
  const sse = new SSE([], { isSerialized: false });
  const app = express();
  app.get('/', (req, res) => {
    sse.init(req, res);
    // Or the head would wait for the first event.
    res.flushHeaders();
  });
  return {
    server: http.createServer(app),
    publish: data => sse.send(data, 'tick'),
  };
}
