import { isObject } from '../../base/option-checks.ts';
import { nameOf } from '../../protocol/channel-name.ts';
import { startAfter } from '../../protocol/event-id.ts';
import type { EventStream } from '../../stream/event-stream.ts';
import type { ControlMessage } from '../control.ts';

/** A request with which a page changes the channels of its open stream, for `hub.control()`. */
export interface ControlRequest {
  readonly method: string;
  /** Returns a header of the request, by its name in lower case. */
  header(name: string): string | null | undefined;
  /** The body: its text, or the value parsed from it. */
  readonly body: unknown;
  /** The user who sent the request, by your authentication. Undefined: unauthenticated, status 401. */
  readonly client: string | undefined;
  /** Other origins whose pages may send the request, such as `https://app.example`. Default: none. */
  readonly origins?: readonly string[] | undefined;
}

/** The response to a {@link ControlRequest}. */
export interface ControlResponse {
  /** 204 when the change is stored, else 4xx or 503. */
  readonly status: number;
  /** Send it as JSON. Undefined: no body. */
  readonly body: { readonly reason: string } | undefined;
  /** Headers of the response. Status 204 has `tidings-position`, the id at which the change is applied. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The hub of the stream. */
export interface ControlledHub {
  /** Several processes share the hub, so that the stream may be in another process. */
  readonly isShared: boolean;
  /** The hub has an `authorize` option. */
  readonly hasAuthorize: boolean;
  readonly clients: { get(client: string): ReadonlySet<EventStream> };
  /** Sends a message to all processes. Resolves with the id at which it is applied. */
  readonly store: (message: ControlMessage) => Promise<string>;
}

/** Maximum number of channels in one request. */
const MAX_CHANNELS = 1_000;

interface Change {
  readonly stream: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly lastEventId: string | undefined;
}

/** Changes the channels of the stream that a request names, if the client of the request owns the stream. */
export async function control(hub: ControlledHub, request: ControlRequest): Promise<ControlResponse> {
  const { client } = request;
  if (request.method !== 'POST') return refuse(405, 'method');
  if (!isSameOrigin(request)) return refuse(403, 'origin');
  if (client === undefined) return refuse(401, 'client');
  if (!/^application\/json\b/i.test(request.header('content-type') ?? '')) return refuse(415, 'content-type');
  const change = readChange(request.body);
  if (change === undefined) return refuse(400, 'body');
  // Without `authorize`, a page could follow every channel.
  if (change.subscribe.length > 0 && !hub.hasAuthorize) return refuse(403, 'authorize');
  const isHere = [...hub.clients.get(client)].some(({ id }) => id === change.stream);
  if (!isHere && !hub.isShared) return refuse(404, 'stream');
  try {
    const position = await apply(hub, client, change);
    const headers: Record<string, string> = position === undefined ? {} : { 'tidings-position': position };
    return { status: 204, body: undefined, headers };
  } catch {
    return refuse(503, 'broker');
  }
}

/** Resolves with the id at which the last change is applied. Undefined: the request changes nothing. */
async function apply({ store }: ControlledHub, owner: string, change: Change): Promise<string | undefined> {
  const { stream: who, subscribe, unsubscribe, lastEventId } = change;
  const stored: Promise<string>[] = [];
  if (unsubscribe.length > 0) stored.push(store({ type: 'unsubscribe', who, owner, channels: unsubscribe }));
  if (subscribe.length > 0) {
    const from = lastEventId === undefined ? undefined : { after: startAfter(lastEventId) };
    stored.push(store({ type: 'subscribe', who, owner, channels: subscribe, options: { from } }));
  }
  return (await Promise.all(stored)).at(-1);
}

function refuse(status: number, reason: string): ControlResponse {
  return { status, body: { reason }, headers: {} };
}

/** Protects against CSRF. Browsers send `Sec-Fetch-Site` or `Origin`. Other clients have no cookies to be misused. */
function isSameOrigin({ header, origins }: ControlRequest): boolean {
  const origin = header('origin');
  if (origin && origins?.includes(origin)) return true;
  const site = header('sec-fetch-site');
  if (site) return site === 'same-origin';
  if (!origin) return true;
  return URL.canParse(origin) && new URL(origin).host === (header('host') ?? header(':authority'));
}

function readChange(body: unknown): Change | undefined {
  const { stream, subscribe = [], unsubscribe = [], lastEventId } = parse(body);
  const isValid = typeof stream === 'string' && areNames(subscribe) && areNames(unsubscribe);
  if (!isValid || subscribe.length + unsubscribe.length > MAX_CHANNELS) return undefined;
  if (lastEventId !== undefined && typeof lastEventId !== 'string') return undefined;
  return { stream, subscribe, unsubscribe, lastEventId };
}

function parse(body: unknown): Record<string, unknown> {
  try {
    const value: unknown = typeof body === 'string' ? JSON.parse(body) : body;
    return isObject(value) ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function areNames(value: unknown): value is string[] {
  try {
    return Array.isArray(value) && value.every(name => typeof name === 'string' && nameOf(name) === name);
  } catch {
    return false;
  }
}
