import { createApp } from './app.ts';

const port = Number(Deno.env.get('PORT') ?? 3000);
const hostname = Deno.env.get('HOST') ?? '127.0.0.1';
const read = (name: string) => Deno.readTextFile(name);
const files = {
  page: await read('page.html'),
  design: await read('design.css'),
  readme: await read('README.md'),
};
const { app, hub } = createApp(`Deno ${Deno.version.deno}`, files);

const onListen = () => console.log(`Anywhere: http://${hostname}:${port}`);
const server = Deno.serve({ port, hostname, onListen }, app.fetch);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  Deno.addSignalListener(signal, async () => {
    await Promise.all([server.shutdown(), hub.close({ within: 5_000, retry: [1_000, 3_000] })]);
    Deno.exit(0);
  });
}
