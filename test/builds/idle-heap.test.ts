import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { asModule, PACKED } from '../support/packed.ts';

/** Prints the bytes of heap of an open stream, above those of a response of node:http with the same headers. */
const PROGRAM = `
const http = require('node:http');
const net = require('node:net');
const { createHub } = require('@tidings/core');
const { openStream } = require('@tidings/core/node');
const COUNT = 1_000;
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
  'tidings-heartbeat': '15000',
};
const hub = createHub();
const server = http.createServer((req, res) => {
  if (req.url === '/tidings') openStream(req, res, { hub }).subscribe('news');
  else res.writeHead(200, HEADERS).write(':\\n\\n');
});
const connect = path => new Promise((resolve, reject) => {
  const socket = net.connect(server.address().port, '127.0.0.1');
  socket.on('error', reject).once('data', () => resolve(socket));
  socket.write('GET ' + path + ' HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n');
});
const connections = () => new Promise(resolve => server.getConnections((_error, count) => resolve(count)));
const heap = () => {
  gc();
  return process.memoryUsage().heapUsed;
};
async function measure(path) {
  const before = heap();
  const sockets = [];
  while (sockets.length < COUNT) {
    sockets.push(...await Promise.all(Array.from({ length: 100 }, () => connect(path))));
  }
  const after = heap();
  for (const socket of sockets) socket.destroy();
  while ((await connections()) > 0) await new Promise(resolve => setTimeout(resolve, 50));
  // Node.js lets go of closed connections over some turns.
  await new Promise(resolve => setTimeout(resolve, 300));
  return (after - before) / COUNT;
}
server.listen(0, '127.0.0.1', async () => {
  // Once each for what is made on first use.
  for (const path of ['/bare', '/tidings']) await measure(path);
  // The median of some rounds: one alone scatters by 150.
  const rounds = [];
  while (rounds.length < 5) rounds.push((await measure('/tidings')) - (await measure('/bare')));
  console.log(rounds.sort((one, other) => one - other)[2]);
  process.exit();
});
`;

test.each(['mjs', 'cjs'])(
  'an idle stream of the packed build (%s) takes at most 900 bytes of heap',
  extension => {
    const file = join(PACKED, `idle-heap.${extension}`);
    writeFileSync(file, extension === 'cjs' ? PROGRAM : asModule(PROGRAM));
    const output = execFileSync(process.execPath, ['--expose-gc', file], { encoding: 'utf8', cwd: PACKED });
    expect(Number(output)).toBeLessThanOrEqual(900);
    // More than this is not possible: it would mean that nothing was measured.
    expect(Number(output)).toBeGreaterThan(100);
  },
);
