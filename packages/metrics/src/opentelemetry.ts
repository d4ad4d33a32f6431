import type { Hub } from '@tidings/core';
import { DISTRIBUTIONS, type DistributionName, type Labels } from './distributions.ts';
import type { LabelOptions } from './label-options.ts';
import { measure } from './measure.ts';
import { SIGNALS } from './signals.ts';
import { type SpanLike, type TracerLike, traceStreams } from './stream-spans.ts';
import { TALLIES, type TallyName } from './tallies.ts';

interface MetricOptions {
  description?: string;
  unit?: string;
  advice?: { explicitBucketBoundaries?: number[] };
}

/** The receiver of the values when metrics are collected. */
interface ObservationLike {
  observe(metric: never, value: number, labels?: Record<string, string>): void;
}

/** A Meter of `@opentelemetry/api`. */
export interface MeterLike {
  createHistogram(name: string, options?: MetricOptions): { record(value: number, labels?: Labels): void };
  createCounter(name: string, options?: MetricOptions): { add(value: number, labels?: Labels): void };
  createObservableGauge(name: string, options?: MetricOptions): object;
  createObservableCounter(name: string, options?: MetricOptions): object;
  addBatchObservableCallback(callback: (result: ObservationLike) => void, metrics: never[]): void;
  removeBatchObservableCallback(callback: (result: ObservationLike) => void, metrics: never[]): void;
}

/** The options of `instrument()` for OpenTelemetry. */
export interface OpenTelemetryOptions extends LabelOptions {
  /** `metrics.getMeter('…')` of `@opentelemetry/api`. Default: no metrics. */
  meter?: MeterLike | undefined;
  /** `trace.getTracer('…')` of `@opentelemetry/api`: creates a span for each stream. Default: no spans. */
  tracer?: TracerLike | undefined;
  /**
   * Returns the span of the HTTP request, in the async context of which it is called: `() => trace.getActiveSpan()`.
   * This span ends when the headers are sent, and the span of the stream links to it. Default: none, spans of requests
   * end with the response.
   */
  httpSpan?: (() => SpanLike | undefined) | undefined;
}

/** Stops the instrumentation, and finds the spans of streams. */
export interface OpenTelemetryInstrumentation {
  stop(): void;
  spanOf(stream: object): SpanLike | undefined;
}

export function instrumentOpenTelemetry(
  hub: Hub,
  { meter, tracer, httpSpan, ...labels }: OpenTelemetryOptions,
): OpenTelemetryInstrumentation {
  const stopMetrics = meter === undefined ? () => {} : addMetrics(hub, meter, labels);
  const spans = tracer === undefined ? undefined : traceStreams(hub, tracer, httpSpan);
  return {
    stop() {
      stopMetrics();
      spans?.stop();
    },
    spanOf: stream => spans?.spanOf(stream),
  };
}

function addMetrics(hub: Hub, meter: MeterLike, labels: LabelOptions): () => void {
  const observed = SIGNALS.map(({ otelName, type, unit, help, read }) => {
    const options = { description: help, unit };
    const metric =
      type === 'gauge'
        ? meter.createObservableGauge(otelName, options)
        : meter.createObservableCounter(otelName, options);
    return { metric: metric as never, read };
  });
  const metrics = observed.map(({ metric }) => metric);
  const observe = (result: ObservationLike) => {
    const stats = hub.stats();
    for (const { metric, read } of observed) {
      for (const [value, own] of read(stats)) result.observe(metric, value, own);
    }
  };
  meter.addBatchObservableCallback(observe, metrics);
  const histograms = mapValues(DISTRIBUTIONS, ({ otelName, unit, help, buckets }) =>
    meter.createHistogram(otelName, {
      description: help,
      unit,
      advice: { explicitBucketBoundaries: [...buckets] },
    }),
  );
  const needed = Object.entries(TALLIES).filter(([, { needs }]) => labels[needs] !== undefined);
  const counters = mapValues(Object.fromEntries(needed), ({ otelName, unit, help }) =>
    meter.createCounter(otelName, { description: help, unit }),
  );
  const stop = hub.observe(
    measure(
      {
        record: (name: DistributionName, value, own) => histograms[name].record(value, own),
        count: (name: TallyName, own) => counters[name]?.add(1, own),
      },
      labels,
    ),
  );
  return () => {
    stop();
    meter.removeBatchObservableCallback(observe, metrics);
  };
}

function mapValues<K extends string, T, U>(from: Record<K, T>, map: (value: T) => U): Record<K, U> {
  const entries = Object.entries(from) as [K, T][];
  return Object.fromEntries(entries.map(([key, value]) => [key, map(value)])) as Record<K, U>;
}
