import type { Hub } from '@tidings/core';
import { instrumentOpenTelemetry, type OpenTelemetryOptions } from './opentelemetry.ts';
import { instrumentPrometheus, type PrometheusOptions } from './prometheus.ts';
import type { SpanLike } from './stream-spans.ts';

/** The destinations of metrics and spans: prom-client, OpenTelemetry, or both. */
export type InstrumentOptions = PrometheusOptions | OpenTelemetryOptions;

/** The instrumentation of a hub. */
export interface Instrumentation {
  /** Removes the metrics, and stops observing the hub. Idempotent. */
  stop(): void;
  /**
   * Returns the span of a stream, after its headers were sent. Undefined without a `tracer`. Make it the active span of
   * code that sends to the stream, so that new spans belong to the stream and not to the request.
   */
  spanOf(stream: object): SpanLike | undefined;
}

/** The meters and tracers that each hub reports to. */
const destinations = new WeakMap<object, Set<object>>();

/**
 * Exports the activity of a hub from now on: as Prometheus metrics, as OpenTelemetry metrics, or as a span for each
 * stream. Call it before the first stream opens.
 *
 * @param hub the hub. Its option `observer` still works.
 * @param options `{ registry }` of prom-client, or `{ meter, tracer }` of OpenTelemetry, each optional.
 * @returns an object that stops the export.
 * @throws {TypeError} `options` has no registry, meter or tracer.
 * @throws {Error} prom-client: the registry has the metrics of a hub already, or another metric of that name.
 *   OpenTelemetry: the hub reports to this meter or tracer already, and would count everything twice.
 */
export function instrument(hub: Hub, options: InstrumentOptions): Instrumentation {
  const { registry, meter, tracer } = options as Partial<PrometheusOptions & OpenTelemetryOptions>;
  if (registry === undefined && meter === undefined && tracer === undefined) {
    throw new TypeError('instrument() needs a prom-client registry, or an OpenTelemetry meter or tracer');
  }
  const reported = destinations.get(hub) ?? new Set();
  const added = [meter, tracer].filter(each => each !== undefined);
  if (added.some(each => reported.has(each))) {
    throw new Error(
      'the hub already reports to this meter or tracer: call stop() of the earlier instrumentation first',
    );
  }
  const stopPrometheus =
    registry === undefined ? () => {} : instrumentPrometheus(hub, options as PrometheusOptions);
  const otel = instrumentOpenTelemetry(hub, options as OpenTelemetryOptions);
  destinations.set(hub, new Set([...reported, ...added]));
  return {
    stop() {
      stopPrometheus();
      otel.stop();
      for (const each of added.splice(0)) destinations.get(hub)?.delete(each);
    },
    spanOf: stream => otel.spanOf(stream),
  };
}
