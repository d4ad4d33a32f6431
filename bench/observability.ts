// What it costs to observe a hub: CPU time of a fan-out and heap of a stream, with nothing, with an observer that has
// every callback but `delivered`, and with all metrics. The engine alone, without sockets, so that the difference is not
// lost in theirs. With STREAMS=1, it is what each event costs. Run: node --expose-gc --import tsx bench/observability.ts
import { setImmediate as turn } from 'node:timers/promises';
import { createHub, type Frame, type Hub, type Observer, type Transport } from '@tidings/core';
import { instrument } from '@tidings/metrics';
import { Registry } from 'prom-client';

const STREAMS = Number(process.env.STREAMS ?? 1_000);
const EVENTS = Math.max(20, 1_000 / STREAMS);
const ROUNDS = 200;
const IDLE = 10_000;

class NullTransport implements Transport {
  readonly bufferedBytes = 0;
  onDrain: (() => void) | undefined;
  onClose: (() => void) | undefined;

  open(): void {}
  write(_frame: Frame): boolean {
    return true;
  }
  end(): void {
    this.onClose?.();
  }
  destroy(): void {
    this.onClose?.();
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
};

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

const median = (values: number[]) => values.sort((one, other) => one - other)[values.length >> 1] as number;

const hubs = Object.entries(modes).map(([mode, observe]) => ({ mode, hub: serve(observe, STREAMS) }));
await turns(20);
for (const { hub } of hubs) await fanOut(hub);
const times = new Map<string, number[]>(hubs.map(({ mode }) => [mode, []]));
for (let round = 0; round < ROUNDS; round++) {
  // Each in its turn, beginning with another one.
  for (let i = 0; i < hubs.length; i++) {
    const { mode, hub } = hubs[(round + i) % hubs.length] as (typeof hubs)[number];
    times.get(mode)?.push(await fanOut(hub));
  }
}
// The least of many: what else the machine does only adds to it.
const least = (mode: string) => Math.min(...(times.get(mode) ?? []));
for (const mode of times.keys()) {
  const each = least(mode) / EVENTS / STREAMS;
  console.log(`${mode}: ${each.toFixed(3)} µs a delivery, ${(least(mode) / least('nothing')).toFixed(3)} x`);
}
const scrapes: number[] = [];
for (let i = 0; i < 30; i++) {
  const start = performance.now();
  await registry.metrics();
  scrapes.push(performance.now() - start);
}
console.log(`a scrape with ${STREAMS} streams: ${Math.min(...scrapes).toFixed(2)} ms`);

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
    for (const stream of hub.streams) stream.close();
    registry.clear();
  }
  console.log(`${mode}: ${median(heaps).toFixed(0)} bytes of heap for an idle stream`);
}
process.exit();
