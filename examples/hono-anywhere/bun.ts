import { createApp } from './app.ts';

const { PORT = '3000', HOST: hostname = '127.0.0.1' } = process.env;
const read = (name: string) => Bun.file(name).text();
const files = {
  page: await read('page.html'),
  design: await read('design.css'),
  readme: await read('README.md'),
};
const { app, hub } = createApp(`Bun ${Bun.version}`, files);

const server = Bun.serve({ fetch: app.fetch, port: PORT, hostname });
console.log(`Anywhere: http://${hostname}:${PORT}`);

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    await Promise.all([server.stop(), hub.close({ within: 5_000, retry: [1_000, 3_000] })]);
    process.exit(0);
  });
}
