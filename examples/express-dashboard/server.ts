import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createHub } from '@tidings/core';
import { gracefulShutdown } from '@tidings/core/node';
import { sse } from '@tidings/express';
import { inspector } from '@tidings/inspector';
import { instrument } from '@tidings/metrics';
import { sqliteBroker } from '@tidings/sqlite';
import express from 'express';
import { register } from 'prom-client';
import { createSampler, describeMachine } from './metrics.ts';

const port = Number(process.env.PORT ?? 3000);
// The page shows a lot about the machine, so other machines see it only if you set HOST.
const host = process.env.HOST ?? '127.0.0.1';
/** Ms between two samples. */
const interval = 1_000;
/** Samples that a new page receives: two minutes. */
const shown = 120;

// Outlives the process, so that pages resume after a restart. Two servers on one file would be one hub.
const file = process.env.DATABASE ?? fileURLToPath(new URL(`dashboard-${port}.db`, import.meta.url));

// `metrics` retains the newest value of each metric, `samples` the samples of the last minutes.
const hub = createHub({
  broker: sqliteBroker({ file }),
  channels: name => ({ compact: name === 'metrics' }),
});
hub.ready().catch(error => giveUp(`Cannot use ${file}: ${error.message}`));
instrument(hub, { registry: register });
const takeSample = createSampler();

const app = express();
app.use(sse({ hub }), sse.client());
app.get('/events', (_req, res) => {
  res.sse({ retry: 1_000 }).subscribe(['metrics', 'samples'], { from: { last: shown } });
  countStreams();
});
app.get('/metrics', async (_req, res) => {
  res.type(register.contentType).send(await register.metrics());
});
// Opens on this machine only, and not in production: others need `authorize`.
app.use('/_tidings', inspector({ hub }));
app.use('/uplot', express.static(dirname(createRequire(import.meta.url).resolve('uplot'))));
app.use(express.static(fileURLToPath(new URL('public', import.meta.url))));
app.get('/readme', (_req, res) => {
  res.type('text').sendFile(fileURLToPath(new URL('README.md', import.meta.url)));
});

hub.publish('metrics', { ...describeMachine(), interval }, { event: 'machine' });
const countStreams = () => hub.publish('metrics', hub.streams.size, { event: 'streams' });

const sampling = setInterval(() => {
  const sample = takeSample();
  const { at, ...metrics } = sample;
  for (const [event, value] of Object.entries(metrics)) hub.publish('metrics', value ?? null, { event });
  hub.publish('samples', sample, { event: 'sample' });
  countStreams();
}, interval);

const server = app.listen(port, host, error => {
  if (error) giveUp(explain(error));
  const url = pageUrl(server.address() as AddressInfo);
  console.log(`Dashboard: ${url}`);
  console.log(`Inspector: ${url}/_tidings/ (streams, channels and events of the dashboard)`);
});

gracefulShutdown(server, hub, {
  within: 5_000,
  retry: [1_000, 3_000],
  before: () => clearInterval(sampling),
});

function giveUp(why: string): never {
  console.error(why);
  process.exit(1);
}

function explain({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') return `Port ${port} is taken. Choose another: PORT=${port + 1} npm start`;
  return `Cannot listen on ${host}, port ${port}: ${message}`;
}

function pageUrl({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `http://localhost:${port}`;
  return family === 'IPv6' ? `http://[${address}]:${port}` : `http://${address}:${port}`;
}
