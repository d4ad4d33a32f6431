// What Node itself takes: every socket is given the same chunk, with nothing of HTTP left to do.
import http from 'node:http';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  let id = 0;
  return {
    server: http.createServer((_req, res) => {
      const { socket } = res;
      if (socket === null) return;
      res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
      res.write(':\n\n');
      sockets.add(socket);
      res.on('close', () => sockets.delete(socket));
    }),
    publish(data) {
      const event = `id: ${++id}\nevent: tick\ndata: ${JSON.stringify(data)}\n\n`;
      const chunk = Buffer.from(`${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`);
      for (const socket of sockets) socket.write(chunk);
    },
  };
}
