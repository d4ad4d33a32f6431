import { type Attributes, DiagLogLevel, diag, trace } from '@opentelemetry/api';
import {
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { createHub } from '@tidings/core';
import { Registry } from 'prom-client';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { DISTRIBUTIONS } from '../src/distributions.ts';
import { instrument } from '../src/index.ts';
import { SIGNALS } from '../src/signals.ts';
import { open, turns } from './streams.ts';

const shutdowns: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const shutdown of shutdowns.splice(0)) await shutdown();
});

function startMeter() {
  const exporter = new InMemoryMetricExporter(1);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  shutdowns.push(() => provider.shutdown());
  /** The data points of all metrics, by name. */
  const collect = async () => {
    exporter.reset();
    await reader.forceFlush();
    const metrics = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap(each => each.metrics);
    return new Map(
      metrics.map(({ descriptor, dataPoints }) => [descriptor.name, { descriptor, dataPoints }]),
    );
  };
  return { meter: provider.getMeter('test'), collect };
}

function startTracer() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  shutdowns.push(() => provider.shutdown());
  return { tracer: provider.getTracer('test'), spans: () => exporter.getFinishedSpans() };
}

it('exports the same numbers as for Prometheus', async () => {
  const { meter, collect } = startMeter();
  const registry = new Registry();
  const hub = createHub({ heartbeat: false, onError: () => {} });
  const labels = { channel: (name: string) => name, client: (id: string) => id };
  instrument(hub, { registry, meter, ...labels });
  const { stream, transport } = open(hub, 'ann', 'unknown-1');
  stream.subscribe('a');
  open(hub, 'bob').stream.subscribe('a');
  await turns();
  for (const data of [1, 2, 3]) hub.publish('a', data);
  await turns();
  transport.isFull = true;
  stream.send('x');
  await hub.channel('a').end();
  await hub.publish('a', 4).catch(() => {});
  stream.close();
  await turns();

  // The lag in seconds grows with time. The clock is stopped, so that both exports read the same value.
  const now = performance.now();
  vi.spyOn(performance, 'now').mockReturnValue(now);
  onTestFinished(() => void vi.restoreAllMocks());
  const exported = await collect();
  const json = await registry.getMetricsAsJSON();
  const values = (name: string) => {
    const { values: all } = json.find(each => each.name === name) as unknown as {
      values: { value: number; labels: Attributes; metricName?: string }[];
    };
    return all;
  };
  for (const { name, otelName, type } of SIGNALS) {
    const ours = values(name).map(({ value, labels: own }) => [value, own]);
    const { descriptor, dataPoints } = exported.get(otelName) ?? { dataPoints: [] };
    expect([otelName, dataPoints.map(({ value, attributes }) => [value, attributes])]).toEqual([
      otelName,
      ours,
    ]);
    if (ours.length > 0) expect(descriptor?.unit).toBeTruthy();
    if (type === 'counter') expect(name).toMatch(/_total$/);
  }
  for (const { name, otelName } of Object.values(DISTRIBUTIONS)) {
    const counts = values(name).filter(({ metricName }) => metricName === `${name}_count`);
    const { dataPoints } = (exported.get(otelName) ?? { dataPoints: [] }) as {
      dataPoints: DataPoint<{ count: number }>[];
    };
    const theirs = dataPoints.map(({ value, attributes }) => [value.count, attributes]);
    expect([otelName, theirs]).toEqual([otelName, counts.map(({ value, labels: own }) => [value, own])]);
  }
  const byClient = exported.get('tidings.client.stream.opened')?.dataPoints ?? [];
  expect(byClient.map(({ value, attributes }) => [value, attributes])).toEqual([
    [1, { client: 'ann' }],
    [1, { client: 'bob' }],
  ]);
});

it('creates a span for each stream, linked to that of its request, which ends at the headers', async () => {
  const { tracer, spans } = startTracer();
  const hub = createHub({ heartbeat: false, history: { events: 1 } });
  const httpSpan = tracer.startSpan('GET /events');
  const { spanOf } = instrument(hub, { tracer, httpSpan: () => httpSpan });
  const id = await hub.publish('a', 1);
  for (const data of [2, 3]) await hub.publish('a', data);
  await turns();
  const { stream } = open(hub, 'ann', id);
  stream.subscribe('a');
  expect(spans()).toEqual([]);
  await turns();
  expect(spans().map(({ name }) => name)).toEqual(['GET /events']);
  expect(spanOf(stream)?.spanContext().traceId).not.toBe(httpSpan.spanContext().traceId);
  stream.close();
  // As the instrumentation of HTTP does when the response is over. The SDK must not report it.
  const reports: unknown[] = [];
  const report = (...args: unknown[]) => void reports.push(args);
  diag.setLogger(
    { error: report, warn: report, info() {}, debug() {}, verbose() {} },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  httpSpan.setAttribute('http.route', '/events').setStatus({ code: 1 }).end();
  diag.disable();
  expect(reports).toEqual([]);
  const [http, own] = spans();
  expect(spans()).toHaveLength(2);
  expect(http?.attributes).toEqual({ 'http.response.status_code': 200 });
  expect(own).toMatchObject({
    name: 'tidings.stream',
    parentSpanContext: undefined,
    attributes: { 'tidings.close_reason': 'closed', 'tidings.events': 2, 'tidings.last_event_id': id },
  });
  expect(own?.links.map(({ context }) => context.spanId)).toEqual([httpSpan.spanContext().spanId]);
  expect(own?.events.map(({ name, attributes }) => [name, attributes?.reason])).toEqual([
    ['tidings.reset', 'history'],
    ['tidings.caught_up', 'history'],
  ]);
});

it('has the id of a stream that has one, and assigns none', async () => {
  const { tracer, spans } = startTracer();
  const hub = createHub({ heartbeat: false });
  instrument(hub, { tracer });
  const [named, other] = [open(hub, 'ann'), open(hub, 'bob')];
  const { id } = named.stream;
  await turns();
  expect(other.stream.stats().id).toBeUndefined();
  for (const { stream } of [named, other]) stream.close();
  expect(spans().map(({ attributes }) => attributes['tidings.stream.id'])).toEqual([id, undefined]);
});

it('refuses a meter or tracer that is in use for the hub, until it is stopped', () => {
  const { meter } = startMeter();
  const { tracer } = startTracer();
  const hub = createHub();
  const { stop } = instrument(hub, { meter, tracer });
  expect(() => instrument(hub, { meter })).toThrow('already');
  expect(() => instrument(hub, { tracer })).toThrow('already');
  stop();
  stop();
  instrument(hub, { meter, tracer }).stop();
});

it('does not change spans of requests without `httpSpan`', async () => {
  const { tracer, spans } = startTracer();
  const hub = createHub({ heartbeat: false });
  const { spanOf, stop } = instrument(hub, { tracer });
  const { stream } = open(hub, 'ann');
  await turns();
  stream.close();
  expect(spans().map(({ name, links }) => [name, links])).toEqual([['tidings.stream', []]]);
  stop();
  const later = open(hub, 'bob');
  await turns();
  expect(spanOf(later.stream)).toBeUndefined();
  expect(trace.getActiveSpan()).toBeUndefined();
});
