import type { EventStream, Hub } from '@tidings/core';

/** The identity of a span. */
export interface SpanContextLike {
  traceId: string;
  spanId: string;
  traceFlags: number;
}

/** A Span of `@opentelemetry/api`. */
export interface SpanLike {
  spanContext(): SpanContextLike;
  setAttribute(key: string, value: string | number): unknown;
  addEvent(name: string, attributes?: Record<string, string | number>): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  end(): void;
}

/** A Tracer of `@opentelemetry/api`. */
export interface TracerLike {
  startSpan(
    name: string,
    options?: {
      kind?: number;
      root?: boolean;
      startTime?: number;
      attributes?: Record<string, string | number>;
      links?: { context: SpanContextLike }[];
    },
  ): SpanLike;
}

/** `SpanKind.SERVER` and `SpanStatusCode.ERROR` of `@opentelemetry/api`. */
const SERVER = 1;
const ERROR = 2;

type Attributes = Record<string, string | number>;

/** A stream that was opened and has no span yet. */
interface Opened {
  /** ms since 1970. */
  readonly at: number;
  readonly httpSpan: SpanLike | undefined;
  /** Span events from before the span was created. */
  readonly events: (readonly [name: string, attributes: Attributes])[];
}

/** Creates a span for each stream, from its opening to its end, in a separate trace. */
export function traceStreams(hub: Hub, tracer: TracerLike, findHttpSpan?: () => SpanLike | undefined) {
  const opened = new WeakMap<EventStream, Opened>();
  const spans = new WeakMap<object, SpanLike>();
  const add = (stream: EventStream, name: string, attributes: Attributes) => {
    const span = spans.get(stream);
    if (span === undefined) opened.get(stream)?.events.push([name, attributes]);
    else span.addEvent(name, attributes);
  };
  const stop = hub.observe({
    // Runs in the async context of the request.
    opened(stream) {
      opened.set(stream, { at: Date.now(), httpSpan: findHttpSpan?.(), events: [] });
    },
    // Runs in the async context of `instrument()`. In the context of a request that is not traced, no span would be
    // recorded.
    headersSent(stream, status) {
      const { at, httpSpan, events } = opened.get(stream) ?? {
        at: Date.now(),
        httpSpan: undefined,
        events: [],
      };
      opened.delete(stream);
      const span = tracer.startSpan('tidings.stream', {
        kind: SERVER,
        root: true,
        startTime: at,
        attributes: { 'http.response.status_code': status },
        links: httpSpan === undefined ? [] : [{ context: httpSpan.spanContext() }],
      });
      spans.set(stream, span);
      if (stream.lastEventId !== undefined) span.setAttribute('tidings.last_event_id', stream.lastEventId);
      for (const event of events) span.addEvent(...event);
      if (httpSpan !== undefined) endPermanently(httpSpan, status, span);
    },
    caughtUp(stream, { outcome, reason, events, bytes }) {
      add(stream, 'tidings.caught_up', { outcome, events, bytes, ...(reason && { reason }) });
    },
    reset(stream, reason, channels) {
      // Only the number of channels, because their names may be private or long.
      add(stream, 'tidings.reset', { reason, channels: channels.length });
    },
    lagging(stream) {
      add(stream, 'tidings.lagging', { buffered: stream.bufferedBytes });
    },
    closed(stream, reason, { events, bytes, maxBufferedBytes }) {
      const span = spans.get(stream);
      if (span === undefined) return;
      // Does not read `stream.id`, which would assign an id: ids take memory.
      const { id } = stream.stats();
      const attributes = {
        ...(id !== undefined && { 'tidings.stream.id': id }),
        'tidings.close_reason': reason,
        'tidings.events': events,
        'tidings.bytes': bytes,
        'tidings.max_buffered_bytes': maxBufferedBytes,
      };
      for (const [key, value] of Object.entries(attributes)) span.setAttribute(key, value);
      if (reason === 'error') span.setStatus({ code: ERROR });
      span.end();
    },
  });
  return { stop, spanOf: (stream: object) => spans.get(stream) };
}

/**
 * Ends the span of a request whose response continues as a stream. The HTTP instrumentation calls its methods again
 * when the response is over. The SDK would report each of these calls as an error, so they are replaced by empty
 * functions.
 */
function endPermanently(span: SpanLike, status: number, streamSpan: SpanLike): void {
  span.setAttribute('http.response.status_code', status);
  const { traceId, spanId } = streamSpan.spanContext();
  span.addEvent('tidings.stream_opened', { 'trace.id': traceId, 'span.id': spanId });
  span.end();
  const ignore = () => span;
  const ignored = { setAttribute: ignore, setAttributes: ignore, setStatus: ignore, updateName: ignore };
  Object.assign(span, ignored, { addEvent: ignore, end: ignore });
}
