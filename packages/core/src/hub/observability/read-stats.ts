import type { DeliveryContext } from '../../delivery/delivery-target.ts';
import type { PublishQueue } from '../../log/broker/publish-queue.ts';
import type { Log } from '../../log/log.ts';
import { backlogOf } from '../../stream/stats/read-stream-stats.ts';
import type { Stream } from '../../stream/stream.ts';
import { OWN_CHANNELS } from '../control.ts';
import type { ChannelStats } from './channel-stats.ts';
import type { Counters } from './counters.ts';
import type { HubStats } from './hub-stats.ts';

/** Reads the stats of a hub. Takes time proportional to the number of open streams. */
export function readStats(
  streams: ReadonlySet<Stream>,
  clients: number,
  { log, loop, sync }: DeliveryContext,
  counters: Counters,
  queue: PublishQueue | undefined,
): HubStats {
  const { channels } = log;
  const { rounds, duration, longestHold } = loop.meter;
  let bufferedBytes = 0;
  let lagging = 0;
  let lagEvents = 0;
  let lagAge = 0;
  for (const stream of streams) {
    bufferedBytes += stream.bufferedBytes;
    const backlog = backlogOf(stream.response);
    if (backlog === undefined) continue;
    lagging += 1;
    lagEvents += backlog.events;
    lagAge = Math.max(lagAge, backlog.age);
  }
  return {
    streams: streams.size,
    clients,
    channels: channels.size - [...OWN_CHANNELS.keys()].filter(name => channels.find(name)).length,
    historyBytes: channels.bytes,
    lagging,
    lagEvents,
    lagAge,
    bufferedBytes,
    ...structuredClone(counters.totals),
    evicted: channels.evicted,
    delivery: { rounds, duration, longestHold },
    broker: sync && queue && { ...sync.health.stats, ...queue.stats, ...structuredClone(counters.broker) },
  };
}

/** Reads the stats of one channel. The first call starts its counters. */
export function readChannelStats({ channels }: Log, name: string): ChannelStats {
  const { since, events, bytes } = channels.countsOf(name);
  const channel = channels.find(name);
  return {
    subscribers: channel?.listeners.size ?? 0,
    retained: channel?.history.retained ?? 0,
    retainedBytes: channel?.history.bytes ?? 0,
    since,
    published: events,
    publishedBytes: bytes,
  };
}
