// What people write who need no library: an event is encoded once, and every response is given the same buffer.
import http from 'node:http';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  const { answer, publish } = createLoop();
  return { server: http.createServer((_req, res) => answer(res)), publish };
}

export function createLoop() {
  /** @type {Set<http.ServerResponse>} */
  const responses = new Set();
  let id = 0;
  return {
    /** @param {http.ServerResponse} res */
    answer(res) {
      res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
      res.write(':\n\n');
      responses.add(res);
      res.on('close', () => responses.delete(res));
    },
    /** @param {object} data */
    publish(data) {
      const event = Buffer.from(`id: ${++id}\nevent: tick\ndata: ${JSON.stringify(data)}\n\n`);
      for (const res of responses) res.write(event);
    },
  };
}
