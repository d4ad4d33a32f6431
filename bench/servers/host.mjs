// The process of a server under test: `node host.mjs <name>` serves what `<name>.mjs` starts. What is to be published
// comes in through a bare socket, since a message of the parent process would cost more than a small fan-out.
import { once } from 'node:events';
import net from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { payload } from './payload.mjs';

/**
 * A server under test.
 *
 * @typedef {object} Subject
 * @property {import('node:http').Server} server not listening yet; `GET /` is the stream.
 * @property {(data: object) => unknown} publish gives an event named `tick` to every stream.
 * @property {(within: number) => Promise<void>} [drain] ends every stream, in so many ms.
 */

// To some it is worth an error message that a client has gone.
console.error = () => {};

/** @type {Subject} */
const { server, publish, drain } = await (await import(`./${process.argv[2]}.mjs`)).start();

// What every server is measured against, and what is asked for while it is busy: both are node:http and nothing else.
const [application] = /** @type {import('node:http').RequestListener[]} */ (server.listeners('request'));
server.removeAllListeners('request');
server.on('request', (req, res) => {
  if (req.url === '/ping') {
    res.end('pong');
  } else if (req.url === '/bare') {
    res.writeHead(200, {
      // Those of Tidings, so that what they take is not counted as Tidings.
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      'tidings-heartbeat': '15000',
    });
    res.write(':\n\n');
  } else {
    application?.(req, res);
  }
});
// A connection of the benchmark may well be idle for long.
server.keepAliveTimeout = 0;

/** @type {Map<number, object>} */
const payloads = new Map();

const control = net.createServer(socket => {
  socket.setNoDelay();
  // A server that has been busy finds more than one.
  socket.on('data', commands => {
    for (const [, events, bytes] of commands.toString('latin1').matchAll(/publish (\d+) (\d+)\n/g)) {
      const data = payloads.get(Number(bytes)) ?? payload(Number(bytes));
      payloads.set(Number(bytes), data);
      for (let i = 0; i < Number(events); i++) publish(data);
    }
  });
  socket.on('error', () => {});
});

const RESOLUTION = 1;
/** @type {import('node:perf_hooks').IntervalHistogram | undefined} */
let delays;

/** @type {Record<string, (argument: number) => unknown>} */
const jobs = {
  /** Bytes. */
  memory() {
    globalThis.gc?.();
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    return { heap: heapUsed, rss };
  },
  /** How many connections are open. */
  connections: () => new Promise(resolve => server.getConnections((_error, count) => resolve(count))),
  watch() {
    delays = monitorEventLoopDelay({ resolution: RESOLUTION });
    delays.enable();
  },
  /** The longest time that the event loop has not come round since `watch`, in ms. */
  held() {
    delays?.disable();
    return (delays?.max ?? 0) / 1e6 - RESOLUTION;
  },
  /** How long it takes until every stream and the server itself have ended, in ms. */
  async drain(within) {
    const start = performance.now();
    const closed = once(server, 'close');
    server.close();
    await drain?.(within);
    await closed;
    return performance.now() - start;
  },
};

process.on('message', async (/** @type {{ job: string, argument: number }} */ { job, argument }) => {
  process.send?.({ result: await jobs[job]?.(argument) });
});
process.on('disconnect', () => process.exit());

await Promise.all([server, control].map(one => once(one.listen(0, '127.0.0.1', 511), 'listening')));
const [port, controlPort] = [server, control].map(one => /** @type {net.AddressInfo} */ (one.address()).port);
process.send?.({ port, control: controlPort });
