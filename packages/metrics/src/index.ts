export { asksForEventStream, isEventStream } from './event-stream.ts';
export { type Instrumentation, type InstrumentOptions, instrument } from './instrument.ts';
export type { LabelOptions } from './label-options.ts';
export type { MeterLike, OpenTelemetryOptions } from './opentelemetry.ts';
export type { PrometheusOptions, RegistryLike } from './prometheus.ts';
export type { SpanContextLike, SpanLike, TracerLike } from './stream-spans.ts';
