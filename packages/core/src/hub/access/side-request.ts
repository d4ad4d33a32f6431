import { isObject } from '../../base/option-checks.ts';
import { nameOf } from '../../protocol/channel-name.ts';
import type { EventStream } from '../../stream/event-stream.ts';
import type { Who } from '../clients.ts';

/** A request by which a page changes the channels of its open stream, as `hub.control()` takes it. */
export interface ControlRequest {
  readonly method: string;
  /** Returns a header of the request, by its name in lower case. */
  header(name: string): string | null | undefined;
  /** The body: its text, or what was parsed of it. */
  readonly body: unknown;
  /** Who has sent the request, as your authentication says. Undefined: nobody. */
  readonly client: string | undefined;
  /** Origins of pages, beside that of the request itself, such as `https://app.example`. Default: none. */
  readonly origins?: readonly string[] | undefined;
}

/** How to respond to a {@link ControlRequest}. */
export interface ControlResponse {
  /** 204 when the change is stored, else 4xx or 503. */
  readonly status: number;
  /** Sent as JSON, if it is there. */
  readonly body: { readonly reason: string } | undefined;
}

/** The hub of the stream. */
export interface ControlledHub {
  /** The streams may be in other processes. */
  readonly isShared: boolean;
  /** Whether a stream may follow a channel is asked for. */
  readonly hasAuthorize: boolean;
  readonly clients: {
    get(client: string): ReadonlySet<EventStream>;
    subscribe(
      who: Who,
      channels: readonly string[],
      options: { from?: { after: string } | undefined },
    ): Promise<void>;
    unsubscribe(who: Who, channels: readonly string[]): Promise<void>;
  };
}

/** Channels of one request. */
const MOST = 1_000;

interface Change {
  readonly stream: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly lastEventId: string | undefined;
}

/** Changes the channels of the stream that a request names, if it belongs to the client of the request. */
export async function control(hub: ControlledHub, request: ControlRequest): Promise<ControlResponse> {
  const { client } = request;
  if (request.method !== 'POST') return refuse(405, 'method');
  if (!isSameOrigin(request)) return refuse(403, 'origin');
  if (client === undefined) return refuse(401, 'client');
  if (!/^application\/json\b/i.test(request.header('content-type') ?? '')) return refuse(415, 'content-type');
  const change = readChange(request.body);
  if (change === undefined) return refuse(400, 'body');
  // Without it, a page could follow every channel.
  if (change.subscribe.length > 0 && !hub.hasAuthorize) return refuse(403, 'authorize');
  const isHere = [...hub.clients.get(client)].some(({ id }) => id === change.stream);
  if (!isHere && !hub.isShared) return refuse(404, 'stream');
  try {
    await apply(hub, client, change);
  } catch {
    return refuse(503, 'broker');
  }
  return { status: 204, body: undefined };
}

async function apply(hub: ControlledHub, client: string, change: Change): Promise<void> {
  const { stream: id, subscribe, unsubscribe, lastEventId } = change;
  const from = lastEventId === undefined ? undefined : { after: lastEventId };
  const changes: Promise<void>[] = [];
  if (unsubscribe.length > 0) changes.push(hub.clients.unsubscribe({ id, client }, unsubscribe));
  if (subscribe.length > 0) changes.push(hub.clients.subscribe({ id, client }, subscribe, { from }));
  await Promise.all(changes);
}

function refuse(status: number, reason: string): ControlResponse {
  return { status, body: { reason } };
}

/** Browsers say where a request comes from. Other clients have no cookies that a page could misuse. */
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
  if (!isValid || subscribe.length + unsubscribe.length > MOST) return undefined;
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
