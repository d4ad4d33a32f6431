import http from 'node:http';
import { createChannel, createSession } from 'better-sse';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  const channel = createChannel();
  return {
    server: http.createServer(async (req, res) => {
      channel.register(await createSession(req, res));
    }),
    publish: data => channel.broadcast(data, 'tick'),
  };
}
