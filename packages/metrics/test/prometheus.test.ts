import { createHub, type HubStats } from '@tidings/core';
import { Gauge, Registry } from 'prom-client';
import { afterEach, expect, it } from 'vitest';
import { instrument } from '../src/index.ts';
import { SIGNALS } from '../src/signals.ts';
import { open, turns } from './streams.ts';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

function serve(labels: Omit<Parameters<typeof instrument>[1], 'registry'> = {}) {
  const hub = createHub({ heartbeat: false, onError: () => {} });
  const registry = new Registry();
  const { stop } = instrument(hub, { registry, ...labels });
  stops.push(stop);
  const lines = async () => (await registry.metrics()).split('\n');
  return { hub, registry, stop, lines };
}

it('counts streams, events and closes', async () => {
  const { hub, lines } = serve();
  const { stream } = open(hub, 'ann');
  stream.subscribe('a');
  open(hub, 'bob').stream.subscribe('a');
  await turns();
  for (const data of [1, 2, 3]) hub.publish('a', data);
  await turns();
  stream.close();
  const text = await lines();
  expect(text).toEqual(
    expect.arrayContaining([
      '# TYPE tidings_streams_open gauge',
      'tidings_streams_open 1',
      'tidings_streams_opened_total 2',
      'tidings_streams_closed_total{reason="closed"} 1',
      'tidings_events_published_total 3',
      '# TYPE tidings_events_delivered_total counter',
      'tidings_events_delivered_total 6',
      '# TYPE tidings_stream_duration_seconds histogram',
      'tidings_stream_duration_seconds_bucket{le="1",reason="closed"} 1',
      'tidings_stream_duration_seconds_bucket{le="+Inf",reason="closed"} 1',
      'tidings_stream_duration_seconds_count{reason="closed"} 1',
      'tidings_stream_headers_seconds_count 2',
      'tidings_stream_events_bucket{le="1"} 0',
      'tidings_stream_events_bucket{le="10"} 1',
      'tidings_stream_events_sum 3',
      'tidings_replay_events_count{outcome="new"} 2',
    ]),
  );
  expect(text.filter(line => line.includes('tidings_delivery_round_seconds_count'))).toHaveLength(1);
});

it('has no metric of a broker without one', async () => {
  const { lines } = serve();
  expect((await lines()).filter(line => /^tidings_(broker|publish_queue)/.test(line))).toEqual([]);
});

it('has no label of a channel or a client by default', async () => {
  const { hub, lines } = serve();
  open(hub, 'annabel').stream.subscribe('room:secret');
  hub.publish('room:secret', 1);
  await turns();
  expect((await lines()).join('\n')).not.toMatch(/secret|annabel/);
});

it('counts by channel and client with the labels that functions return', async () => {
  const { hub, lines } = serve({
    channel: name => (name === 'hidden' ? undefined : name.split(':')[0]),
    client: id => `tenant of ${id}`,
  });
  const { transport, stream } = open(hub, 'ann', 'unknown-1');
  stream.subscribe(['room:1', 'room:2', 'hidden']);
  await turns();
  for (const name of ['room:1', 'room:2', 'hidden']) hub.publish(name, 1);
  await turns();
  transport.isFull = true;
  stream.send('x');
  const text = await lines();
  expect(
    text.filter(line => line.startsWith('tidings_channel_') || line.startsWith('tidings_client_')),
  ).toEqual(
    [
      'tidings_channels_dropped_total 0',
      'tidings_channel_events_published_total{channel="room"} 2',
      'tidings_channel_resets_total{channel="room",reason="unknown"} 1',
      'tidings_client_streams_opened_total{client="tenant of ann"} 1',
      'tidings_client_streams_lagged_total{client="tenant of ann"} 1',
    ].filter(line => !line.startsWith('tidings_channels')),
  );
});

it('works with OpenMetrics, default labels, JSON and reset', async () => {
  const { hub, registry } = serve();
  registry.setDefaultLabels({ app: 'chat' });
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  open(hub, 'ann').stream.close();
  await turns();
  const text = await registry.metrics();
  expect(text).toContain(
    '# TYPE tidings_streams_opened counter\ntidings_streams_opened_total{app="chat"} 1\n',
  );
  expect(text).toContain('tidings_stream_events_count{app="chat"} 1\n');
  const json = await registry.getMetricsAsJSON();
  expect(json.find(({ name }) => name === 'tidings_stream_events')).toMatchObject({ type: 'histogram' });
  registry.resetMetrics();
  expect(await registry.metrics()).not.toContain('tidings_stream_events_count');
});

it('removes its metrics when it is stopped, and can be started again', async () => {
  const { hub, registry, stop } = serve();
  expect(() => instrument(hub, { registry })).toThrow('call stop() of the earlier instrumentation');
  stop();
  stop();
  expect(registry.getMetricsAsArray()).toEqual([]);
  open(hub, 'ann');
  stops.push(instrument(hub, { registry }).stop);
  expect(await registry.metrics()).toContain('tidings_streams_opened_total 1');
});

it('does not remove the metrics of a later instrumentation when it is stopped again', async () => {
  const { hub, registry, stop } = serve();
  stop();
  stops.push(instrument(hub, { registry }).stop);
  stop();
  expect(await registry.metrics()).toContain('tidings_streams_open 0');
});

it('registers nothing if the application has a metric of one of its names', () => {
  const registry = new Registry();
  new Gauge({ name: 'tidings_clients', help: 'of the application', registers: [registry] });
  expect(() => instrument(createHub(), { registry })).toThrow('already been registered');
  expect(registry.getMetricsAsArray()).toHaveLength(1);
});

it('counts the calls of authorize by outcome', async () => {
  const registry = new Registry();
  const hub = createHub({ heartbeat: false, authorize: name => name === 'a', onError: () => {} });
  stops.push(instrument(hub, { registry }).stop);
  open(hub, 'ann').stream.subscribe(['a', 'b', 'c']);
  await turns();
  expect((await registry.metrics()).split('\n')).toEqual(
    expect.arrayContaining([
      'tidings_authorize_calls_total{outcome="allowed"} 1',
      'tidings_authorize_calls_total{outcome="refused"} 2',
      'tidings_authorize_calls_total{outcome="failed"} 0',
      'tidings_authorize_seconds_count{outcome="refused"} 2',
    ]),
  );
});

it('escapes labels that functions return', async () => {
  const { hub, lines } = serve({ channel: name => name });
  hub.publish('a"} 1\n# \\', 1);
  await turns();
  expect(await lines()).toContain('tidings_channel_events_published_total{channel="a\\"} 1\\n# \\\\"} 1');
});

it('refuses options without a destination', () => {
  expect(() => instrument(createHub(), {})).toThrow(TypeError);
});

it('exports every figure of stats()', () => {
  // What a distribution has as well, or what says the same as another figure.
  const others = [
    'resets',
    'delivery.rounds',
    'delivery.duration',
    'broker.since',
    'broker.calls',
    'authorize.duration',
  ];
  const read = new Set<string>();
  const record = (path: string): object =>
    new Proxy(
      {},
      {
        get(_, key) {
          if (typeof key !== 'string') return undefined;
          const name = path + key;
          read.add(name);
          return ['delivery', 'broker', 'authorize'].includes(name) ? record(`${name}.`) : 1;
        },
      },
    );
  for (const signal of SIGNALS) signal.read(record('') as HubStats);
  const broker = { connected: 0, since: 0, lag: 0, arrival: 0, reconnects: 0, calls: 0, callErrors: 0 };
  const all = [
    ...Object.keys(createHub().stats()),
    ...Object.keys(createHub().stats().delivery).map(key => `delivery.${key}`),
    ...Object.keys(createHub().stats().authorize).map(key => `authorize.${key}`),
    ...Object.keys({ ...broker, queued: 0, queuedBytes: 0 }).map(key => `broker.${key}`),
  ];
  expect(all.filter(name => !read.has(name) && !others.includes(name))).toEqual([]);
});
