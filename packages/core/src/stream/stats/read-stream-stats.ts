import type { Backlog } from '../../delivery/reader/log-reader.ts';
import type { StreamDelivery } from '../../delivery/stream-delivery.ts';
import type { StreamResponse } from '../response/response.ts';
import type { StreamStats } from './stream-stats.ts';

export function readStreamStats(
  response: StreamResponse,
  id: string | undefined,
  openedAt: number,
): StreamStats {
  const { delivery, writer, bufferedBytes } = response;
  const { events, age } = backlogOf(response) ?? { events: 0, age: 0 };
  return {
    id,
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

/** The entries that a slow consumer has not received yet. Undefined if the stream is not a slow consumer. */
export function backlogOf({ isClosed, writer, delivery }: StreamResponse): Backlog | undefined {
  if (isClosed || !writer.isLagging) return undefined;
  return delivery?.reader.backlog ?? { events: 0, age: 0 };
}

function lastId({ subscriptions, opener, reader }: StreamDelivery): string | undefined {
  return subscriptions.list.length > 0 && opener.hasBegun ? subscriptions.log.id(reader.position) : undefined;
}
