import http from 'node:http';
import { createChannel, createSession } from 'better-sse';
import express from 'express';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  const channel = createChannel();
  const app = express();
  app.get('/', async (req, res) => {
    channel.register(await createSession(req, res));
  });
  return {
    server: http.createServer(app),
    publish: data => channel.broadcast(data, 'tick'),
  };
}
