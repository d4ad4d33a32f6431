// What compression costs and saves: bytes on the wire and CPU time of the server for each delivery, and heap of a stream;
// without, with, and with compression() in front of a hand-written route. One process serves, one reads and counts.
// Run: node --expose-gc --import tsx bench/compression.ts [streams] [rounds] [modes, with semicolons]
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import http, { type ServerResponse } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createHub, type EventStream } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import compression from 'compression';
import express from 'express';

const [streams = 1_000, rounds = 3] = process.argv.slice(2, 4).map(Number);
const only = process.argv[4]?.split(';');
const BATCHES = 100;

const words = ['ACME', 'GLOB', 'INIT', 'UMBR', 'STRK'];
const pick = (n: number) => words[n % words.length];
const payloads: Record<string, (n: number) => string> = {
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

/** What is served. `every`: batches after which each stream is sent a comment. */
const modes: Record<
  string,
  { isCompressed?: boolean; every?: number; channels?: number; isHandWritten?: boolean }
> = {
  off: {},
  on: { isCompressed: true },
  'on, a comment every 20 batches': { isCompressed: true, every: 20 },
  'on, two channels in turn': { isCompressed: true, channels: 2 },
  'off, two channels in turn': { channels: 2 },
  'compression(), hand-written': { isHandWritten: true },
};

type Publish = (n: number, text: string) => void;

function createTidings({ isCompressed = false, every, channels = 1 }: (typeof modes)[string]) {
  const hub = createHub({ compression: isCompressed });
  const names = Array.from({ length: channels }, (_, n) => `news-${n}`);
  const opened: EventStream[] = [];
  const server = http.createServer((req, res) => {
    opened.push(openStream(req, res, { hub }).subscribe(names));
  });
  const publish: Publish = (n, text) => {
    if (every !== undefined && n % every === 0) for (const stream of opened) stream.comment();
    void hub.publish(names[n % channels] as string, text);
  };
  return { server, publish };
}

function createHandWritten() {
  const responses: ServerResponse[] = [];
  const app = express();
  app.use(compression());
  app.get('/', (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    res.write(':\n\n');
    res.flush();
    responses.push(res);
  });
  const publish: Publish = (n, text) => {
    const frame = Buffer.from(`data: ${text}\nid: 0e6d1f4a93c7-${n}\n\n`);
    for (const response of responses) {
      response.write(frame);
      (response as ServerResponse & { flush(): void }).flush();
    }
  };
  return { server: http.createServer(app), publish };
}

async function serve(mode: string, payload: string): Promise<void> {
  const settings = modes[mode] as (typeof modes)[string];
  const { server, publish } = settings.isHandWritten ? createHandWritten() : createTidings(settings);
  const sockets = new Set<Socket>();
  server.on('connection', socket => sockets.add(socket));
  await once(server.listen(0, '127.0.0.1', 511), 'listening');
  const sumOf = (some: Iterable<Socket>) =>
    Array.from(some, each => each.bytesWritten).reduce((a, b) => a + b);
  const sent = () => sumOf(sockets);
  /** Of the sockets that are written to last. To ask all would cost as much as to write to them. */
  const sentLast = () => sumOf(last);
  const heap = () => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  let last: Socket[] = [];
  let n = 0;
  const run = async (batches: number) => {
    for (let end = n + batches; n < end; n++) {
      publish(n, payloads[payload]?.(n) as string);
      // Until nothing more is on its way to the kernel: zlib has threads of its own.
      for (let before = -1; before !== sentLast(); ) {
        before = sentLast();
        await sleep(10);
      }
    }
  };
  const empty = heap();
  process.send?.((server.address() as AddressInfo).port);
  await once(process, 'message');
  last = [...sockets].slice(-20);
  await run(50);
  const perStream = (heap() - empty) / streams;
  const [bytes, cpu] = [sent(), process.cpuUsage()];
  await run(BATCHES);
  const { user, system } = process.cpuUsage(cpu);
  const deliveries = streams * BATCHES;
  process.send?.({
    bytes: (sent() - bytes) / deliveries,
    cpu: (user + system) / deliveries,
    heap: perStream,
  });
}

async function read(port: number): Promise<void> {
  const request = 'GET / HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAccept-Encoding: gzip\r\n\r\n';
  for (let opened = 0; opened < streams; opened++) {
    const socket = net.connect(port, '127.0.0.1').on('error', () => {});
    socket.write(request);
    await once(socket, 'data');
    socket.resume();
  }
  process.send?.('open');
}

type Figures = Record<'bytes' | 'cpu' | 'heap', number>;
const start = (...job: string[]): ChildProcess =>
  fork(fileURLToPath(import.meta.url), [String(streams), String(rounds)], {
    env: { ...process.env, JOB: JSON.stringify(job) },
    execArgv: ['--expose-gc', '--import', 'tsx'],
  });

async function measure(mode: string, payload: string): Promise<Figures> {
  const server = start('serve', mode, payload);
  const [port] = await once(server, 'message');
  const reader = start('read', String(port));
  await once(reader, 'message');
  server.send('run');
  const [figures] = await once(server, 'message');
  server.kill();
  reader.kill();
  return figures as Figures;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] as number;

const [job, ...parameters] = JSON.parse(process.env.JOB ?? '[]') as string[];
if (job === 'serve') await serve(parameters[0] as string, parameters[1] as string);
else if (job === 'read') await read(Number(parameters[0]));
else {
  for (const payload of Object.keys(payloads)) {
    const wanted = Object.keys(modes).filter(mode => only?.includes(mode) ?? true);
    const all = new Map<string, Figures[]>(wanted.map(mode => [mode, []]));
    // In turn, so that what the machine does meanwhile falls on all alike.
    for (let round = 0; round < rounds; round++)
      for (const [mode, figures] of all) figures.push(await measure(mode, payload));
    console.log(
      `\n${payload}, ${streams} streams\n\n| | bytes a delivery | CPU µs a delivery | heap B a stream |\n|---|---|---|---|`,
    );
    for (const [mode, figures] of all) {
      const of = (name: keyof Figures) => median(figures.map(each => each[name]));
      console.log(
        `| ${mode} | ${of('bytes').toFixed(1)} | ${of('cpu').toFixed(2)} | ${of('heap').toFixed(0)} |`,
      );
    }
  }
  process.exit();
}
