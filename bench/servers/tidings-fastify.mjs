import { createHub } from '@tidings/core';
import { sse } from '@tidings/fastify';
import fastify from 'fastify';

/** @returns {Promise<import('./host.mjs').Subject>} */
export async function start() {
  const hub = createHub();
  const app = fastify();
  app.register(sse({ hub }));
  app.get('/', (_request, reply) => reply.sse(stream => stream.subscribe('news')));
  await app.ready();
  return {
    server: app.server,
    publish: data => hub.publish('news', data, { event: 'tick' }),
    drain: within => hub.close({ within }),
  };
}
