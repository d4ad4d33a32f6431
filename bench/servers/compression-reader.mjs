// The clients of compression.ts. They do not decode: each delivery is one write, so a delivery has arrived when the bytes
// of a connection have. Its messages are the commands of the parent process.
import { once } from 'node:events';
import net from 'node:net';

const REQUEST = [
  'GET / HTTP/1.1',
  'Host: localhost',
  'Accept: text/event-stream',
  'Accept-Encoding: gzip',
  '\r\n',
].join('\r\n');

/** Requests that wait for their response at a time. */
const WINDOW = 64;
/** ms without bytes after which a delivery is complete: a proxy may split it. */
const QUIET = 5;
/** ms without bytes after which a delivery counts as failed. */
const PATIENCE = 20_000;

const now = () => Number(process.hrtime.bigint() / 1000n);

/** When the last bytes came, for each connection, in µs; 0: none yet in this round. */
let arrivals = new Float64Array(0);
let missing = 0;
let bytes = 0;
let lastAt = 0;
/** @type {number[]} µs. */
let latencies = [];

/**
 * @param {number} port
 * @param {number} index
 */
async function connect(port, index) {
  const socket = net.connect(port, '127.0.0.1');
  socket.write(REQUEST);
  await once(socket, 'data');
  socket.on('data', chunk => {
    lastAt = now();
    if (arrivals[index] === 0) missing -= 1;
    arrivals[index] = lastAt;
    bytes += chunk.length;
  });
}

/** @type {Record<string, (argument: any) => unknown>} */
const jobs = {
  async open({ port, streams }) {
    arrivals = new Float64Array(streams);
    let next = 0;
    const openInTurn = async () => {
      while (next < streams) await connect(port, next++);
    };
    await Promise.all(Array.from({ length: WINDOW }, openInTurn));
  },
  begin() {
    arrivals.fill(0);
    missing = arrivals.length;
    lastAt = now();
  },
  /** Waits until every connection has received bytes. `published`: when, in µs; absent: latencies are not recorded. */
  async receive(published) {
    for (;;) {
      await new Promise(resolve => setTimeout(resolve, QUIET));
      const silence = (now() - lastAt) / 1000;
      if (missing === 0 && silence >= QUIET) break;
      if (silence > PATIENCE) return { error: `${missing} deliveries are missing` };
    }
    if (published !== undefined) for (const at of arrivals) latencies.push(at - published);
    return {};
  },
  /** What has come since the last report: bytes, and latencies in µs. */
  report() {
    const sorted = Float64Array.from(latencies).sort();
    const percentile = (/** @type {number} */ part) => sorted[Math.floor(part * (sorted.length - 1))];
    const result = { bytes, p50: percentile(0.5), p99: percentile(0.99) };
    latencies = [];
    bytes = 0;
    return result;
  },
};

process.on('message', async (/** @type {{ job: string, argument: unknown }} */ { job, argument }) => {
  process.send?.({ result: await jobs[job]?.(argument) });
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
