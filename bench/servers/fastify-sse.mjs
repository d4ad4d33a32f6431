import { fastifySSE } from '@fastify/sse';
import fastify from 'fastify';

/** @returns {Promise<import('./host.mjs').Subject>} */
export async function start() {
  /** @type {Set<import('fastify').FastifyReply['sse']>} */
  const streams = new Set();
  const app = fastify();
  let id = 0;
  await app.register(fastifySSE);
  app.get('/', { sse: 'only' }, async (_request, reply) => {
    const { sse } = reply;
    sse.keepAlive();
    // Or the head would wait for the first event.
    sse.sendHeaders();
    reply.raw.flushHeaders();
    streams.add(sse);
    sse.onClose(() => streams.delete(sse));
  });
  await app.ready();
  return {
    server: app.server,
    publish(data) {
      const message = { id: String(++id), event: 'tick', data };
      for (const stream of streams) stream.send(message);
    },
  };
}
