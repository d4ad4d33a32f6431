import http from 'node:http';
import { createEventStream, H3 } from 'h3';
import { toNodeHandler } from 'h3/node';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  /** @type {Set<import('h3').EventStream>} */
  const streams = new Set();
  const app = new H3();
  let id = 0;
  app.get('/', event => {
    const stream = createEventStream(event);
    streams.add(stream);
    stream.onClosed(() => streams.delete(stream));
    // Or the head would wait for the first event.
    stream.pushComment('');
    return stream.send();
  });
  return {
    server: http.createServer(toNodeHandler(app)),
    publish(data) {
      const message = { id: String(++id), event: 'tick', data: JSON.stringify(data) };
      for (const stream of streams) stream.push(message);
    },
  };
}
