// A server of compression.ts: `node compression.mjs <mode>` with one stream at each connection. Its messages are the
// commands of the parent process.
import { once } from 'node:events';
import http from 'node:http';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import compression from 'compression';
import express from 'express';

/**
 * @typedef {object} Mode
 * @property {boolean} [isCompressed] with `compression: true`.
 * @property {number} [channels] that each stream follows, and that events are published to in turn.
 * @property {boolean} [isHandWritten] an Express route behind `compression()`, without Tidings.
 *
 * @typedef {object} Subject
 * @property {import('node:http').Server} server
 * @property {(n: number, text: string) => void} publish
 * @property {() => void} comment sends a comment to each stream.
 */

const WORDS = ['ACME', 'GLOB', 'INIT', 'UMBR', 'STRK'];
const pick = (/** @type {number} */ n) => WORDS[n % WORDS.length];

/** @type {Record<string, (n: number) => string>} */
const payloads = {
  ticks: n =>
    JSON.stringify({
      symbol: pick(n * 7),
      exchange: 'XNAS',
      currency: 'USD',
      price: 100 + ((n * 7919) % 10_000) / 100,
      volume: (n * 31) % 1_000,
      time: new Date(1_796_000_000_000 + n * 137).toISOString(),
    }),
  html: n =>
    `<tr id="order-${(n * 7919) % 1_000}" class="order order--filled" hx-swap-oob="true"><td class="order__symbol">${pick(n)}</td><td class="order__price">${((n * 7919) % 100_000) / 100}</td><td><button class="button button--small" hx-post="/orders/${(n * 7919) % 1_000}/cancel" hx-target="closest tr">Cancel</button></td></tr>`,
};

/**
 * @param {Mode} mode
 * @returns {Subject}
 */
function createTidings({ isCompressed = false, channels = 1 }) {
  const hub = createHub({ compression: isCompressed });
  const names = Array.from({ length: channels }, (_, n) => `news-${n}`);
  return {
    server: http.createServer((req, res) => void openStream(req, res, { hub }).subscribe(names)),
    publish: (n, text) => void hub.publish(/** @type {string} */ (names[n % channels]), text),
    comment() {
      for (const stream of hub.streams) stream.comment();
    },
  };
}

/** @returns {Subject} */
function createHandWritten() {
  /** @type {Set<import('express').Response>} */
  const responses = new Set();
  const app = express();
  app.use(compression());
  app.get('/', (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    res.write(':\n\n');
    res.flush();
    responses.add(res);
  });
  /** @param {Buffer} frame */
  const write = frame => {
    for (const response of responses) {
      response.write(frame);
      response.flush();
    }
  };
  return {
    server: http.createServer(app),
    publish: (n, text) => write(Buffer.from(`data: ${text}\nid: 0e6d1f4a93c7-${n}\n\n`)),
    comment: () => write(Buffer.from(':\n\n')),
  };
}

/** @type {Mode} */
const mode = JSON.parse(process.argv[2] ?? '{}');
const { server, publish, comment } = mode.isHandWritten ? createHandWritten() : createTidings(mode);

/** @type {Record<string, (argument: any) => unknown>} */
const jobs = {
  /** Returns the time, in µs. */
  publish({ n, payload }) {
    const at = Number(process.hrtime.bigint() / 1000n);
    publish(n, payloads[payload]?.(n) ?? '');
    return at;
  },
  comment,
  /** Bytes. */
  memory() {
    globalThis.gc?.();
    globalThis.gc?.();
    const { heapUsed: heap, rss } = process.memoryUsage();
    return { heap, rss };
  },
};

process.on('message', (/** @type {{ job: string, argument: unknown }} */ { job, argument }) => {
  process.send?.({ result: jobs[job]?.(argument) });
});
process.on('disconnect', () => process.exit());
await once(server.listen(0, '127.0.0.1', 511), 'listening');
process.send?.(/** @type {import('node:net').AddressInfo} */ (server.address()).port);
