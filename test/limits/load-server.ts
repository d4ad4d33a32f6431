// A server in a process of its own, which counts what its streams are given in each turn of its event loop.
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';

/** What streams were given during a job, and until the report. Plain answers are text, and do not count. */
export interface Load {
  /** Bytes of each turn that had any. */
  turns: number[];
  /** How many different buffers they were in. */
  buffers: number;
  /** For each plain answer: how many bytes had gone out before it. */
  answers: number[];
}

/** Ms that each write takes at least, so that a bound on a turn's time is one on its writes, on any machine. */
const WRITE = 0.02;

let bytes = 0;
const buffers = new Set<Uint8Array>();
let load: Load | undefined;

const { write } = Socket.prototype;
Socket.prototype.write = function (this: Socket, ...args: Parameters<typeof write>) {
  const start = performance.now();
  const hasRoom = write.apply(this, args);
  const chunk: unknown = args[0];
  if (chunk instanceof Uint8Array) {
    bytes += chunk.length;
    buffers.add(chunk);
    while (performance.now() - start < WRITE);
  }
  return hasRoom;
} as typeof write;

async function record(): Promise<void> {
  const mine: Load = { turns: [], buffers: 0, answers: [] };
  load = mine;
  bytes = 0;
  buffers.clear();
  for (let before = 0; load === mine; ) {
    await turn();
    if (bytes > before) mine.turns.push(bytes - before);
    before = bytes;
  }
}

async function report(): Promise<Load | undefined> {
  // The present one counts, too.
  await turn();
  const done = load && { ...load, buffers: buffers.size };
  load = undefined;
  return done;
}

const hub = createHub({ heartbeat: false });
const held: [IncomingMessage, ServerResponse][] = [];
const closed: Record<string, number> = {};
let published = 0;

function answer(req: IncomingMessage, res: ServerResponse): void {
  const stream = openStream(req, res, { hub }).subscribe('a');
  stream.closed.then(reason => {
    closed[reason] = (closed[reason] ?? 0) + 1;
  });
}

// A connection that is kept stays for good.
const server = http.createServer({ keepAliveTimeout: 0 }, (req, res) => {
  if (req.url === '/stream') {
    answer(req, res);
  } else if (req.url === '/held') {
    held.push([req, res]);
  } else {
    res.end('plain');
    load?.answers.push(bytes);
  }
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () =>
  process.send?.((server.address() as AddressInfo).port),
);

const jobs: Record<string, (count: number) => unknown> = {
  /** Publishes the next numbers, in one turn, and tells the position before. */
  async publish(count) {
    const before = await hub.position();
    record();
    for (let i = 0; i < count; i++) hub.publish('a', String(++published));
    return before;
  },
  /** Answers the requests that are held back, in one turn, when so many have come. */
  async answer(count) {
    while (held.length < count) await turn();
    record();
    for (const request of held.splice(0)) answer(...request);
  },
  report,
  /** Closes the server and the hub, right after a number. The process is left to end by itself. */
  async drain(within) {
    record();
    hub.publish('a', String(++published));
    const isClosed = once(server, 'close');
    server.close();
    await hub.close({ within, retry: [1_000, 15_000] });
    await isClosed;
    process.removeAllListeners('message');
    process.removeAllListeners('disconnect');
    return { closed, ...(await report()) };
  },
};

process.on('message', async ([name, count]: [string, number]) => {
  process.send?.((await jobs[name]?.(count)) ?? null);
});
process.on('disconnect', () => process.exit());
