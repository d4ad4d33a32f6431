import type { DeliveryContext } from '../delivery/delivery-target.ts';
import { CONTROL_CHANNEL } from '../log/broker.ts';
import type { Stream } from '../stream/stream.ts';
import type { Counters, HubStats } from './counters.ts';

/** What a hub holds now, and what it has counted. */
export function readStats(
  { log, sync }: DeliveryContext,
  open: ReadonlySet<Stream>,
  clients: number,
  counters: Counters,
): HubStats {
  const streams = [...open];
  const { channels } = log;
  return {
    streams: streams.length,
    clients,
    channels: channels.size - (channels.find(CONTROL_CHANNEL) === undefined ? 0 : 1),
    historyBytes: channels.bytes,
    lagging: streams.filter(stream => stream.response.writer.isLagging).length,
    bufferedBytes: streams.reduce((sum, stream) => sum + stream.bufferedBytes, 0),
    broker: sync?.health.stats,
    ...structuredClone(counters.totals),
  };
}
