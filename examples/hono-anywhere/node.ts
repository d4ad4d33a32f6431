import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { serve } from '@hono/node-server';
import { createApp } from './app.ts';

const { PORT = '3000', HOST: hostname = '127.0.0.1' } = process.env;
const read = (name: string) => readFileSync(name, 'utf8');
const files = { page: read('page.html'), design: read('design.css'), readme: read('README.md') };
const { app, hub } = createApp(`Node ${process.versions.node}`, files);

const server = serve({ fetch: app.fetch, port: Number(PORT), hostname }, () => {
  console.log(`Anywhere: http://${hostname}:${PORT}`);
});
server.on('error', error => {
  console.error(`Cannot listen: ${error.message}. Set PORT to another port.`);
  process.exit(1);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    const answered = once(server.close(), 'close');
    await hub.close({ within: 5_000, retry: [1_000, 3_000] });
    await Promise.race([answered, delay(2_000)]); // requests that are no streams
    process.exit(0);
  });
}
