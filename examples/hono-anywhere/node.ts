import { readFileSync } from 'node:fs';
import { serve } from '@hono/node-server';
import { createApp } from './app.ts';

const { PORT = '3000', HOST: hostname = '127.0.0.1' } = process.env;
const { app, hub } = createApp(`Node ${process.versions.node}`, readFileSync('page.html', 'utf8'));

const server = serve({ fetch: app.fetch, port: Number(PORT), hostname }, () => {
  console.log(`Anywhere: http://${hostname}:${PORT}`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    server.close();
    await hub.close({ within: 5_000, retry: [1_000, 3_000] });
    process.exit(0);
  });
}
