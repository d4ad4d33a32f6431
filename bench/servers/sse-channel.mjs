import http from 'node:http';
import SseChannel from 'sse-channel';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  const channel = new SseChannel({ jsonEncode: true });
  let id = 0;
  return {
    server: http.createServer((req, res) => channel.addClient(req, res)),
    publish: data => channel.send({ id: ++id, event: 'tick', data }),
  };
}
