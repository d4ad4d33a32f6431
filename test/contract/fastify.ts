import { text } from 'node:stream/consumers';
import { sse } from '@tidings/fastify';
import fastify5, { type FastifyInstance } from 'fastify';
import fastify4 from 'fastify4';
import { run } from '../support/server.ts';
import type { Mount } from './mount.ts';

type Fastify = (options: object) => FastifyInstance;

function mount(name: string, fastify: Fastify, http2 = false): Mount {
  return {
    name,
    http2,
    async serve(hub, handler) {
      const app = fastify(http2 ? { http2 } : {});
      app.register(sse({ hub }));
      // Fastify reads a body before it calls the handler, unless its parser leaves that to the handler.
      app.removeAllContentTypeParsers();
      app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
      app.all('*', async (request, reply) =>
        handler({
          stream: (use, options) => reply.sse(use, options),
          answer: (status, body) => reply.code(status).send(body),
          setHeader: (name, value) => reply.header(name, value),
          // Fastify adds cookies to those that are there.
          appendHeader: (name, value) => reply.header(name, value),
          readBody: () => text(request.raw),
        }),
      );
      await app.listen({ port: 0, host: '127.0.0.1' });
      return run(app.server);
    },
  };
}

export const fastifyMounts = [
  mount('Fastify 4', fastify4 as unknown as Fastify),
  mount('Fastify 5', fastify5 as unknown as Fastify),
  mount('Fastify 5, HTTP/2', fastify5 as unknown as Fastify, true),
];
