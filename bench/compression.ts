// What compression saves and costs, beside no compression, compression() in front of a hand-written route, and nginx.
import type { ChildProcess } from 'node:child_process';
import { freePort } from '../test/support/server.ts';
import { type Measurement, type RecordFigure, type Row, streamCounts, streamsTitle } from './measurement.ts';
import { endNginx, PROXY_WORKERS, proxyConfiguration, startNginx } from './nginx.ts';
import { childrenOf, cpuOf, rssOf } from './processes.ts';
import { endProgram, firstOf, pathOf, startProgram } from './program.ts';
import type { Mode } from './servers/compression.mjs';

interface Variant extends Row {
  readonly mode: Mode;
  /** Events after which each stream is sent a comment. */
  readonly commentEvery?: number;
  /** nginx is in front of the server. */
  readonly proxy?: 'plain' | 'gzip';
}

const STREAMS = [1_000, 10_000];
export const PAYLOADS: Record<string, string> = { ticks: 'prices as JSON', html: 'rows of HTML' };

export const BYTES = 'bytes';
export const CPU = 'CPU';

export function compressionTable(streams: number, payload: string): string {
  return `Compression, ${streamsTitle(streams)}, ${PAYLOADS[payload]}`;
}

const WARM_UP = 30;
/** Events that are measured. Of 10,000 streams fewer, since each takes up to two seconds. */
const eventsFor = (streams: number) => (streams > 1_000 ? 60 : 100);

const rows: readonly Variant[] = [
  { name: 'off', title: 'Tidings, uncompressed', mode: {} },
  { name: 'on', title: 'Tidings, `compression: true`', mode: { isCompressed: true } },
  {
    name: 'on-comments',
    title: '… with a comment every 20 events',
    mode: { isCompressed: true },
    commentEvery: 20,
  },
  {
    name: 'on-two-channels',
    title: '… with two channels that alternate',
    mode: { isCompressed: true, channels: 2 },
  },
  { name: 'middleware', title: '`compression()`, hand-written route', mode: { isHandWritten: true } },
  { name: 'proxy', title: 'nginx without gzip, Tidings uncompressed', mode: {}, proxy: 'plain' },
  { name: 'proxy-gzip', title: 'nginx with gzip, Tidings uncompressed', mode: {}, proxy: 'gzip' },
];

export const compression: Measurement<Variant> = {
  name: 'compression',
  about:
    '_Tidings ÷ it_: the figure without compression, divided by that of the row. For each event that one client receives: bytes on its connection, with HTTP/1.1 framing, and µs of CPU time of the server and of nginx. For each stream: bytes of the server’s heap, and KiB of resident memory of the server and of nginx. Latency: ms from publishing to the last byte, over all clients. The next event is published when the previous one has arrived at all clients.',
  columns: [
    { name: BYTES, digits: 1, isCompared: true },
    { name: CPU, isCompared: true },
    { name: 'CPU of nginx', isPart: true },
    { name: 'heap, B', digits: 0 },
    { name: 'RSS, KiB', digits: 1 },
    { name: 'p50, ms', digits: 1 },
    { name: 'p99, ms', digits: 1 },
  ],
  rows,
  byDefault: 'never',
  async measure(variant, record, scale) {
    for (const streams of streamCounts(STREAMS, scale)) {
      for (const payload of Object.keys(PAYLOADS)) {
        const table = compressionTable(streams, payload);
        await measure(variant, payload, streams, (column, value) => record(table, column, value));
      }
    }
  },
};

type RecordColumn = (column: string, value: number) => ReturnType<RecordFigure>;

async function measure(
  { mode, commentEvery, proxy }: Variant,
  payload: string,
  streams: number,
  record: RecordColumn,
) {
  const server = startOnNode('compression.mjs', JSON.stringify(mode));
  const reader = startOnNode('compression-reader.mjs');
  const serverPort = await firstOf<number>(server, 'message');
  const front = proxy && (await startProxy(serverPort, proxy === 'gzip'));
  try {
    await firstOf(reader, 'message');
    const memory = async () => {
      const { heap, rss } = await ask<{ heap: number; rss: number }>(server, 'memory');
      return { heap, rss: rss + sum(front?.workers, rssOf) };
    };
    const cpu = () => ({
      server: cpuOf(server.pid as number).total,
      proxy: sum(front?.workers, pid => cpuOf(pid).total),
    });
    const round = async (job: string, argument?: unknown) => {
      await ask(reader, 'begin');
      const published = await ask<number | undefined>(server, job, argument);
      const { error } = await ask<{ error?: string }>(reader, 'receive', published);
      if (error !== undefined) throw new Error(error);
    };
    const run = async (from: number, to: number) => {
      for (let n = from; n < to; n++) {
        if (commentEvery !== undefined && n % commentEvery === 0) await round('comment');
        await round('publish', { n, payload });
      }
      return await ask<{ bytes: number; p50: number; p99: number }>(reader, 'report');
    };

    const empty = await memory();
    await ask(reader, 'open', { port: front?.port ?? serverPort, streams });
    await run(0, WARM_UP);
    const full = await memory();
    const events = eventsFor(streams);
    const before = cpu();
    const { bytes, p50, p99 } = await run(WARM_UP, WARM_UP + events);
    const after = cpu();
    const deliveries = events * streams;
    record(BYTES, bytes / deliveries);
    record(CPU, (after.server + after.proxy - before.server - before.proxy) / deliveries);
    if (front) record('CPU of nginx', (after.proxy - before.proxy) / deliveries);
    record('heap, B', (full.heap - empty.heap) / streams);
    record('RSS, KiB', (full.rss - empty.rss) / streams / 1024);
    record('p50, ms', p50 / 1000);
    record('p99, ms', p99 / 1000);
  } finally {
    await endProgram(reader);
    if (front) await front.end();
    await endProgram(server);
  }
}

function startOnNode(file: string, ...parameters: string[]): ChildProcess {
  const flags = ['--expose-gc', '--import', pathOf('servers/published.mjs')];
  return startProgram(
    process.execPath,
    [...flags, pathOf(`servers/${file}`), ...parameters],
    ['ignore', 'inherit', 'inherit', 'ipc'],
  );
}

async function startProxy(server: number, isCompressing: boolean) {
  const port = await freePort();
  const configuration = proxyConfiguration(port, server, isCompressing);
  const { program, cleanUp } = await startNginx(port, configuration, PROXY_WORKERS);
  return {
    port,
    workers: childrenOf(program.pid as number),
    async end() {
      await endNginx(program);
      cleanUp();
    },
  };
}

async function ask<T>(program: ChildProcess, job: string, argument?: unknown): Promise<T> {
  program.send({ job, argument });
  return (await firstOf<{ result: T }>(program, 'message')).result;
}

function sum(pids: readonly number[] = [], figureOf: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + figureOf(pid), 0);
}
