// A server whose HTTP requests are traced and measured by OpenTelemetry, as `otel-server.ts <framework>`. In a process of
// its own: the instrumentation changes node:http for good. /events is a stream, /plain a response.

import type * as Http from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { metrics, trace } from '@opentelemetry/api';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import {
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { createHub } from '@tidings/core';
import { asksForEventStream, instrument } from '@tidings/metrics';

export interface Report {
  /** The spans that have ended, in this order. */
  spans: { name: string; id: string; links: string[]; attributes: Record<string, unknown> }[];
  /** How many requests `http.server.request.duration` has. */
  requests: number;
  streams: number;
}

const spanExporter = new InMemorySpanExporter();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spanExporter)] }).register();
const metricExporter = new InMemoryMetricExporter(1);
const reader = new PeriodicExportingMetricReader({
  exporter: metricExporter,
  exportIntervalMillis: 3_600_000,
});
const meterProvider = new MeterProvider({ readers: [reader] });
metrics.setGlobalMeterProvider(meterProvider);
registerInstrumentations({
  meterProvider,
  instrumentations: [new HttpInstrumentation({ ignoreIncomingRequestHook: asksForEventStream })],
});
// `require`, since that is what the instrumentation notices.
const http = createRequire(import.meta.url)('http') as typeof Http;

const hub = createHub();
instrument(hub, {
  meter: metrics.getMeter('test'),
  tracer: trace.getTracer('test'),
  httpSpan: () => trace.getActiveSpan(),
});

const { listenerFor } = await import('./instrumented-apps.ts');
const server = http.createServer(listenerFor(process.argv[2] ?? '', hub));
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));

process.on('message', async () => {
  metricExporter.reset();
  await reader.forceFlush();
  const all = metricExporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics)
    .flatMap(each => each.metrics);
  const duration = all.find(({ descriptor }) => descriptor.name === 'http.server.request.duration');
  const points = (duration?.dataPoints ?? []) as DataPoint<{ count: number }>[];
  const report: Report = {
    spans: spanExporter.getFinishedSpans().map(span => ({
      name: span.name,
      id: span.spanContext().spanId,
      links: span.links.map(({ context }) => context.spanId),
      attributes: span.attributes,
    })),
    requests: points.reduce((sum, { value }) => sum + value.count, 0),
    streams: hub.streams.size,
  };
  process.send?.(report);
});
process.on('disconnect', () => process.exit());
