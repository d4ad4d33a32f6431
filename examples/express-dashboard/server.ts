import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createHub } from '@tidings/core';
import { sse } from '@tidings/express';
import express from 'express';
import { createSampler, describeMachine, type Sample } from './metrics.ts';

const port = Number(process.env.PORT ?? 3000);
// The page tells a lot about the machine: who wants others to see it has to say so.
const host = process.env.HOST ?? '127.0.0.1';
/** Ms between two samples. */
const interval = 1_000;
/** Samples that a page gets when it connects: two minutes. */
const historyLength = 120;

const hub = createHub();
const machine = describeMachine();
const takeSample = createSampler();
const history: Sample[] = [];

const app = express();
app.use(sse({ hub }));
app.get('/events', (_req, res) => {
  const stream = res.sse({ retry: 1_000 });
  const streams = hub.streams.size;
  stream.send({ machine, interval, streams, samples: history }, { event: 'history' });
});
app.use('/uplot', express.static(dirname(createRequire(import.meta.url).resolve('uplot'))));
app.use(express.static(fileURLToPath(new URL('public', import.meta.url))));

const sampling = setInterval(() => {
  const sample = takeSample();
  history.push(sample);
  if (history.length > historyLength) history.shift();
  const streams = hub.streams.size;
  for (const stream of hub.streams) {
    // A page that is behind skips samples, and goes on with the latest when it has caught up.
    if (stream.bufferedBytes === 0) stream.send({ ...sample, streams }, { event: 'sample' });
  }
}, interval);

const server = app.listen(port, host, error => {
  if (error) giveUp(error);
  console.log(`Dashboard: ${pageUrl(server.address() as AddressInfo)}`);
});

process.on('SIGINT', stop);
process.on('SIGTERM', stop);

/** May be called again: under npm, a Ctrl-C comes from the terminal and from npm. */
async function stop() {
  clearInterval(sampling);
  server.close();
  await hub.close({ within: 5_000, retry: [1_000, 3_000] });
  process.exit(0);
}

function giveUp(error: NodeJS.ErrnoException): never {
  console.error(
    error.code === 'EADDRINUSE'
      ? `Port ${port} is taken. Choose another: PORT=${port + 1} npm start`
      : `Cannot listen on ${host}, port ${port}: ${error.message}`,
  );
  process.exit(1);
}

function pageUrl({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `http://localhost:${port}`;
  return family === 'IPv6' ? `http://[${address}]:${port}` : `http://${address}:${port}`;
}
