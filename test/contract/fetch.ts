import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { nodeConnection, streamResponse } from '@tidings/core/fetch';
import { sse } from '@tidings/hono';
import { Hono } from 'hono';
import { listen } from '../support/server.ts';
import type { Mount } from './mount.ts';

function hono(name: string, http2 = false): Mount {
  return {
    name,
    http2,
    serve(hub, handler) {
      const app = new Hono();
      app.use(sse({ hub }));
      app.all('*', async c => {
        const response = await handler({
          stream: (use, options) => c.var.sse(use, options),
          answer: (status, text) => new Response(text, { status }),
          setHeader: (name, value) => c.header(name, value),
          appendHeader: (name, value) => c.header(name, value, { append: true }),
          readBody: () => c.req.text(),
        });
        return response as Response;
      });
      app.onError((error, c) => c.text(String(error), 500));
      return listen(getRequestListener(app.fetch), { http2 });
    },
  };
}

/** No framework: a function from Request to Response. */
const bareFetch: Mount = {
  name: 'Fetch',
  serve(hub, handler) {
    return listen(
      getRequestListener(async (request, env) => {
        const { incoming, outgoing } = env as HttpBindings;
        const connection = nodeConnection(incoming, outgoing);
        const headers = new Headers();
        let streamed: Promise<Response> | undefined;
        const withHeaders = (response: Response) => {
          // What it adds to a finished Response is the application's own responsibility.
          for (const name of ['content-length', 'content-encoding', 'etag']) headers.delete(name);
          for (const [name, value] of headers) response.headers.append(name, value);
          return response;
        };
        try {
          const response = await handler({
            stream(use, options) {
              const response = streamResponse(request, use, { ...options, hub, connection }).then(
                withHeaders,
              );
              streamed ??= response;
              return response;
            },
            answer(status, text) {
              // Whoever drops a response has to say so: its body waits for a reader.
              streamed?.then(response => response.body?.cancel());
              return new Response(text, { status });
            },
            setHeader: (name, value) => headers.set(name, value),
            appendHeader: (name, value) => headers.append(name, value),
            readBody: () => request.text(),
          });
          return response as Response;
        } catch (error) {
          return new Response(String(error), { status: 500 });
        }
      }),
    );
  },
};

export const fetchMounts = [hono('Hono'), hono('Hono, HTTP/2', true), bareFetch];
