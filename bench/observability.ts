// What it costs to observe a hub: CPU time of a fan-out and heap of a stream, with nothing, with an observer that has
// every callback but `delivered`, with all metrics, and with an open page of the inspector. The engine alone, without
// sockets, so that the difference is not lost in theirs. With STREAMS=1, it is what each event costs.
// Run: node --expose-gc --import tsx bench/observability.ts
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import {
  createHub,
  type Frame,
  type Hub,
  type Observer,
  type Transport,
  type TransportListener,
} from '@tidings/core';
import { inspector } from '@tidings/inspector/fetch';
import { instrument } from '@tidings/metrics';
import { Registry } from 'prom-client';

const STREAMS = Number(process.env.STREAMS ?? 1_000);
const EVENTS = Math.max(20, 1_000 / STREAMS);
/** Pairs of hubs for each mode, and rounds of each pair. */
const PAIRS = Number(process.env.PAIRS ?? 16);
const ROUNDS = 20;
/** ms for which an open page is measured. */
const OPEN = 10_000;
const IDLE = 10_000;

class NullTransport implements Transport {
  readonly bufferedBytes = 0;
  listener: TransportListener | undefined;

  open(): void {}
  write(_frame: Frame): boolean {
    return true;
  }
  end(): void {
    this.listener?.closed();
  }
  destroy(): void {
    this.listener?.closed();
  }
}

const noop = () => {};
const observer: Observer = {
  opened: noop,
  headersSent: noop,
  caughtUp: noop,
  closed: noop,
  refused: noop,
  published: noop,
  lagging: noop,
  reset: noop,
  replayed: noop,
  dropped: noop,
  held: noop,
  round: noop,
  authorizeCalled: noop,
  brokerCalled: noop,
  closing: noop,
};

const registry = new Registry();
/** Observes a new hub. */
const modes: Record<string, (hub: Hub) => void> = {
  nothing: noop,
  // How much of a difference is noise.
  'nothing again': noop,
  observer: hub => void hub.observe(observer),
  metrics: hub => void instrument(hub, { registry }),
  inspector: openPage,
};

/** Opens the page: what is live, and the table of streams. */
function openPage(hub: Hub): void {
  const inspect = inspector({ hub, path: '/_tidings', authorize: () => true });
  for (const path of ['feed', 'rows?table=streams&limit=60&sort=age&order=desc']) {
    void (async () => {
      const response = await inspect(new Request(`http://localhost/_tidings/${path}`));
      for await (const _ of response?.body ?? []);
    })();
  }
}

const open = (hub: Hub) => hub.open(new NullTransport(), { method: 'GET', url: '/' }).subscribe('news');

function serve(observe: (hub: Hub) => void, streams: number): Hub {
  const hub = createHub({ heartbeat: false });
  observe(hub);
  for (let i = 0; i < streams; i++) open(hub);
  return hub;
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

/** µs of CPU time. */
async function fanOut(hub: Hub): Promise<number> {
  const { user, system } = process.cpuUsage();
  for (let i = 0; i < EVENTS; i++) {
    hub.publish('news', 'x'.repeat(130));
    await turns(3);
  }
  const after = process.cpuUsage();
  return after.user + after.system - user - system;
}

const median = (values: number[]) =>
  values.toSorted((one, other) => one - other)[values.length >> 1] as number;

/** CPU time of a fan-out with a mode, by that with nothing: hubs of equal age, in turn. */
async function compare(order: readonly [string, string]): Promise<{ ratio: number; least: number }> {
  const hubs = order.map(mode => serve(modes[mode] ?? noop, STREAMS));
  await turns(20);
  for (const hub of hubs) await fanOut(hub);
  const ratios: number[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const times = [0, 0];
    for (const at of round % 2 === 0 ? [0, 1] : [1, 0]) times[at] = await fanOut(hubs[at] as Hub);
    const [first = 0, second = 0] = times;
    ratios.push(order[0] === 'nothing' ? second / first : first / second);
    least = Math.min(least, order[0] === 'nothing' ? second : first);
  }
  await Promise.all(hubs.map(hub => hub.close({ within: 0 })));
  registry.clear();
  return { ratio: median(ratios), least };
}

for (const mode of Object.keys(modes)) {
  if (mode === 'nothing') continue;
  const ratios: number[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (let pair = 0; pair < PAIRS; pair++) {
    // The hub that is made second has its objects in other places, which alone makes a difference.
    const compared = await compare(pair % 2 === 0 ? ['nothing', mode] : [mode, 'nothing']);
    ratios.push(compared.ratio);
    least = Math.min(least, compared.least);
  }
  const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / PAIRS);
  const [low = 0, high = 0] = [0.25, 0.75].map(
    at => ratios.toSorted((a, b) => a - b)[Math.floor(at * PAIRS)],
  );
  const each = least / EVENTS / STREAMS;
  console.log(
    `${mode}: ${mean.toFixed(3)} x nothing (quartiles ${low.toFixed(3)}, ${high.toFixed(3)}), ${each.toFixed(3)} µs`,
  );
}

const scraped = serve(modes.metrics ?? noop, IDLE);
await turns(200);
const scrapes: number[] = [];
for (let i = 0; i < 30; i++) {
  const start = performance.now();
  await registry.metrics();
  scrapes.push(performance.now() - start);
}
console.log(`a scrape with ${IDLE} streams: ${Math.min(...scrapes).toFixed(2)} ms`);

await scraped.close({ within: 0 });
registry.clear();
for (const [mode, observe] of Object.entries(modes)) {
  const heaps: number[] = [];
  for (let run = 0; run < 3; run++) {
    const hub = serve(observe, 100);
    await turns(20);
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < IDLE; i++) open(hub);
    await turns(200);
    globalThis.gc?.();
    heaps.push((process.memoryUsage().heapUsed - before) / IDLE);
    await hub.close({ within: 0 });
    registry.clear();
  }
  console.log(`${mode}: ${median(heaps).toFixed(0)} bytes of heap for an idle stream`);
}

/** ms of CPU time a second. */
async function idle(): Promise<number> {
  const { user, system } = process.cpuUsage();
  await sleep(OPEN);
  const after = process.cpuUsage();
  return (after.user + after.system - user - system) / OPEN;
}

const watched = serve(noop, IDLE);
await turns(200);
const withoutPage = await idle();
openPage(watched);
await sleep(1_000);
const cost = (await idle()) - withoutPage;
console.log(`an open page, with ${IDLE} streams: ${cost.toFixed(1)} ms of CPU time a second`);
process.exit();
