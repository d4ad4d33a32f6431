// A server whose metrics Prometheus scrapes, with a broker and some load. /events is a stream, /metrics the metrics.
// It answers each message with the stats of its hub.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { instrument } from '@tidings/metrics';
import { sqliteBroker } from '@tidings/sqlite';
import { Registry } from 'prom-client';

const hub = createHub({ broker: sqliteBroker({ file: process.argv[2] ?? '' }), onError: () => {} });
const registry = new Registry();
instrument(hub, { registry });

const server = http.createServer(async (req, res) => {
  if (req.url === '/metrics') {
    res.setHeader('content-type', registry.contentType);
    res.end(await registry.metrics());
  } else openStream(req, res, { hub }).subscribe('news');
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));

const publishing = setInterval(() => hub.publish('news', { text: 'x'.repeat(100) }), 10);
process.on('message', ([job]: [string]) => {
  // The numbers that follow are the last.
  if (job === 'rest') clearInterval(publishing);
  process.send?.(hub.stats());
});
process.on('disconnect', () => process.exit());
