import type { Backlog } from '../delivery/reader/log-reader.ts';
import type { StreamDelivery } from '../delivery/stream-delivery.ts';
import type { StreamResponse } from './response/response.ts';

/** What one stream is and does now. */
export interface StreamStats {
  /** When it was opened: ms since 1970, to within a second. */
  openedAt: number;
  /** The channels that it is subscribed to. */
  channels: string[];
  /** The id up to which it has received everything of its channels; undefined without any. */
  position: string | undefined;
  /** Events of its channels that its client has yet to receive, before filters; 0 while it keeps up. */
  lagEvents: number;
  /** ms: the age of the oldest of these events, to within the precision of the hub's clock (about 500 ms). */
  lagAge: number;
  /** Bytes that are buffered in this process until the client reads. */
  bufferedBytes: number;
  /** The path and query of the request, if the transport knows. It may have a token in it. */
  url: string | undefined;
  /** `HTTP/1.1`, `HTTP/2.0`, or `fetch` for a web Request; if the transport knows. */
  protocol: string | undefined;
}

export function readStreamStats(response: StreamResponse, openedAt: number): StreamStats {
  const { delivery, writer, bufferedBytes } = response;
  const { events, age } = backlogOf(response) ?? { events: 0, age: 0 };
  return {
    openedAt,
    channels: delivery?.subscriptions.list.map(({ channel }) => channel.name) ?? [],
    position: delivery && lastId(delivery),
    lagEvents: events,
    lagAge: age,
    bufferedBytes,
    url: writer.request?.url,
    protocol: writer.request?.protocol,
  };
}

/** What a slow consumer has yet to be handed; undefined while the client keeps up. */
export function backlogOf({ isClosed, writer, delivery }: StreamResponse): Backlog | undefined {
  if (isClosed || !writer.isLagging) return undefined;
  return delivery?.reader.backlog ?? { events: 0, age: 0 };
}

function lastId({ subscriptions, opener, reader }: StreamDelivery): string | undefined {
  return subscriptions.list.length > 0 && opener.hasBegun ? subscriptions.log.id(reader.position) : undefined;
}
