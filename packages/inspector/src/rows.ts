import { setImmediate as nextIteration } from 'node:timers/promises';
import type { ChannelStats, EventStream, Hub } from '@tidings/core';
import { describeData, type ShownStreams } from './shown-streams.ts';

/** The part of a table that a page shows. */
export interface View {
  readonly table: 'streams' | 'channels';
  /** A part of an id, a client or a channel, in any case. Default: everything. */
  readonly search: string;
  readonly sort: string;
  readonly isDescending: boolean;
  readonly offset: number;
  readonly limit: number;
}

export interface Rows {
  /** Number of rows that the search finds. */
  total: number;
  offset: number;
  rows: readonly StreamRow[] | readonly ChannelRow[];
}

export interface StreamRow {
  /** Identifies the stream in requests of the page. */
  name: string;
  /** The id of the stream. Undefined: the application has not read it. */
  id: string | undefined;
  client: string | undefined;
  /** The data of the stream, as text. */
  data: string | undefined;
  /** The first 30 channels. */
  channels: readonly string[];
  channelCount: number;
  /** ms since it was opened. */
  age: number;
  /** Events that the stream has not received yet, and the age of the oldest one in ms. */
  lagEvents: number;
  lagAge: number;
  bufferedBytes: number;
  position: string | undefined;
  /** As in StreamStats. */
  protocol: string;
  /** The path and query of the request. */
  url: string;
}

export interface ChannelRow {
  name: string;
  subscribers: number;
  retained: number;
  retainedBytes: number;
  /** Counted since the inspector first showed the channel. */
  published: number;
  /** Events per second, since then. */
  rate: number;
}

/** Maximum number of rows that one request returns. */
const MAX_LIMIT = 200;
/** ms for which one view may block the event loop. */
const ITERATION_BUDGET = 4;
/** Maximum number of channels in the row of a stream. */
const MAX_CHANNELS = 30;

export function readView(query: URLSearchParams): View {
  return {
    table: query.get('table') === 'channels' ? 'channels' : 'streams',
    search: (query.get('search') ?? '').toLowerCase(),
    sort: query.get('sort') ?? '',
    isDescending: query.get('order') === 'desc',
    offset: count(query.get('offset')),
    limit: Math.min(count(query.get('limit')), MAX_LIMIT),
  };
}

/** Reads the rows of a view. With many streams or channels, it takes several iterations of the event loop. */
export function rowsOf(hub: Hub, names: ShownStreams, view: View): Promise<Rows> {
  return view.table === 'streams' ? streamRows(hub, names, view) : channelRows(hub, view);
}

async function streamRows(hub: Hub, names: ShownStreams, view: View): Promise<Rows> {
  // Oldest first.
  let streams = [...hub.streams];
  if (view.search !== '') {
    const all = streams;
    streams = [];
    await forEachYielding(all, stream => matches(stream, view.search) && streams.push(stream));
  }
  const sorted = await sortBy(streams, STREAM_KEYS[view.sort], view.isDescending);
  const now = Date.now();
  const rows = sorted
    .slice(view.offset, view.offset + view.limit)
    .map(stream => describeStream(stream, names.nameOf(stream), now));
  return { total: streams.length, offset: view.offset, rows };
}

function matches(stream: EventStream, search: string): boolean {
  const contains = (text: string | undefined) => text?.toLowerCase().includes(search) === true;
  if (contains(stream.client)) return true;
  const { id, channels } = stream.stats();
  return contains(id) || channels.some(contains);
}

type Key<T> = (item: T) => number | string;

/** For other values of `sort`, streams are sorted by age. */
const STREAM_KEYS: Record<string, Key<EventStream>> = {
  client: stream => stream.client ?? '',
  lag: stream => stream.stats().lagEvents,
  buffered: stream => stream.bufferedBytes,
  channels: stream => stream.stats().channels.length,
};

function describeStream(stream: EventStream, name: string, now: number): StreamRow {
  const { openedAt, channels, protocol = '', url = '', ...figures } = stream.stats();
  return {
    name,
    client: stream.client,
    data: describeData(stream.data),
    channels: channels.slice(0, MAX_CHANNELS),
    channelCount: channels.length,
    age: now - openedAt,
    ...figures,
    protocol,
    url,
  };
}

async function channelRows(hub: Hub, view: View): Promise<Rows> {
  const names = hub.channelNames().filter(name => name.toLowerCase().includes(view.search));
  const key = CHANNEL_KEYS[view.sort];
  const sorted = await sortBy(
    names,
    key ? name => key(hub.channel(name).stats()) : name => name,
    view.isDescending,
  );
  const rows = sorted.slice(view.offset, view.offset + view.limit).map(name => {
    const { since, ...stats } = hub.channel(name).stats();
    return { name, ...stats, rate: (stats.published * 1_000) / Math.max(Date.now() - since, 1_000) };
  });
  return { total: names.length, offset: view.offset, rows };
}

/** For other values of `sort`, channels are sorted by name. */
const CHANNEL_KEYS: Record<string, Key<ChannelStats>> = {
  subscribers: stats => stats.subscribers,
  retained: stats => stats.retained,
  bytes: stats => stats.retainedBytes,
  published: stats => stats.published,
};

/**
 * Sorts items by a key, which is read once for each item.
 *
 * @param key absent: the items are in descending order.
 */
async function sortBy<T>(items: T[], key: Key<T> | undefined, isDescending: boolean): Promise<T[]> {
  if (key === undefined) return isDescending ? items : items.reverse();
  const keyed: { item: T; key: number | string }[] = [];
  await forEachYielding(items, item => keyed.push({ item, key: key(item) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) * (isDescending ? -1 : 1));
  return keyed.map(({ item }) => item);
}

/** Runs an action for each item. Yields to the event loop each time {@link ITERATION_BUDGET} is spent. */
async function forEachYielding<T>(items: readonly T[], action: (item: T) => unknown): Promise<void> {
  let start = performance.now();
  for (const item of items) {
    action(item);
    if (performance.now() - start < ITERATION_BUDGET) continue;
    await nextIteration();
    start = performance.now();
  }
}

function count(text: string | null): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}
