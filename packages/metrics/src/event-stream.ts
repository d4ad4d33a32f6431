/** A request of Node.js, or a web Request. */
interface RequestLike {
  readonly headers: object;
}

interface ResponseLike {
  getHeader(name: string): unknown;
}

/**
 * Whether a request asks for an event stream: its `Accept` header names `text/event-stream`, as that of an EventSource
 * does. For tools that decide when the request begins: OpenTelemetry's `ignoreIncomingRequestHook`, `autoLogging.ignore`
 * of pino-http.
 *
 * @param request a request of Node.js, or a web Request.
 */
export function asksForEventStream(request: RequestLike): boolean {
  const { headers } = request;
  const { get, accept } = headers as { get?: (name: string) => string | null; accept?: string };
  const value = typeof get === 'function' ? get.call(headers, 'accept') : accept;
  return value?.toLowerCase().includes('text/event-stream') === true;
}

/**
 * Whether a response is an event stream, by its `Content-Type`. For tools that decide when the response is over:
 * `bypass.onFinish` of express-prom-bundle.
 *
 * @param response a response of Node.js, whose headers were sent.
 */
export function isEventStream(response: ResponseLike): boolean {
  return String(response.getHeader('content-type') ?? '').startsWith('text/event-stream');
}
