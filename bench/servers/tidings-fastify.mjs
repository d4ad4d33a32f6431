import { createHub } from '@tidings/core';
import { sse } from '@tidings/fastify';
import fastify from 'fastify';

/** @returns {Promise<import('./host.mjs').Subject>} */
export async function start() {
  const hub = createHub();
  const app = fastify();
  app.register(sse({ hub }));
  app.get('/', (_request, reply) => {
    // @fastify/sse, of another server here, declares the same name.
    const { sse: open } = /** @type {import('@tidings/fastify').SseReply} */ (/** @type {unknown} */ (reply));
    return open.call(reply, stream => stream.subscribe('news'));
  });
  await app.ready();
  return {
    server: app.server,
    publish: data => hub.publish('news', data, { event: 'tick' }),
    drain: within => hub.close({ within }),
  };
}
