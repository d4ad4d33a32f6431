// Serves a module that exports `fetch` on Node, which has no server for that.
import { serve } from '@hono/node-server';

const { default: server } = await import(process.argv[2]);
serve({ fetch: server.fetch, port: Number(process.env.PORT), hostname: '127.0.0.1' });
