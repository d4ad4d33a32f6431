import type { EventStream, Hub, StreamStats } from '@tidings/core';

/** What one page shows of a table: the rows that its window needs. */
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
  /** Rows that the search finds. */
  total: number;
  offset: number;
  rows: readonly StreamRow[] | readonly ChannelRow[];
}

export interface StreamRow {
  id: string;
  client: string | undefined;
  /** The first hundred. */
  channels: readonly string[];
  channelCount: number;
  /** ms since it was opened. */
  age: number;
  /** Events that it has yet to receive, and the age of the oldest in ms. */
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
  /** Events a second, since then. */
  rate: number;
}

/** Rows that one page may ask for. */
const MAX_LIMIT = 200;

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

export function rowsOf(hub: Hub, view: View): Rows {
  return view.table === 'streams' ? streamRows(hub, view) : channelRows(hub, view);
}

function streamRows(hub: Hub, { search, sort, isDescending, offset, limit }: View): Rows {
  const now = Date.now();
  const all = Array.from(hub.streams, stream => ({ stream, stats: stream.stats() }));
  const found = all.filter(open => search === '' || matches(open, search));
  const sorted = sortBy(found, STREAM_KEYS[sort] ?? STREAM_KEYS.age, isDescending);
  const rows = sorted.slice(offset, offset + limit).map(open => describeStream(open, now));
  return { total: found.length, offset, rows };
}

/** A stream, with its statistics: they are read once for search, order and row. */
interface OpenStream {
  readonly stream: EventStream;
  readonly stats: StreamStats;
}

type Key<T> = (item: T) => number | string;

const STREAM_KEYS: Record<string, Key<OpenStream>> = {
  id: ({ stream }) => stream.id,
  client: ({ stream }) => stream.client ?? '',
  age: ({ stats }) => -stats.openedAt,
  lag: ({ stats }) => stats.lagEvents,
  buffered: ({ stats }) => stats.bufferedBytes,
  channels: ({ stats }) => stats.channels.length,
};

function matches({ stream, stats }: OpenStream, search: string): boolean {
  const contains = (text: string | undefined) => text?.toLowerCase().includes(search) === true;
  return contains(stream.client) || contains(stream.id) || stats.channels.some(contains);
}

function describeStream({ stream, stats }: OpenStream, now: number): StreamRow {
  const { openedAt, channels, protocol = '', url = '', ...figures } = stats;
  return {
    id: stream.id,
    client: stream.client,
    channels: channels.slice(0, 100),
    channelCount: channels.length,
    age: now - openedAt,
    ...figures,
    protocol,
    url,
  };
}

function channelRows(hub: Hub, { search, sort, isDescending, offset, limit }: View): Rows {
  const names = hub.channelNames().filter(name => search === '' || name.toLowerCase().includes(search));
  const key = CHANNEL_KEYS[sort];
  const sorted =
    key === undefined
      ? sortBy(names, name => name, isDescending)
      : sortBy(names, name => key(hub.channel(name).stats()), isDescending);
  const rows = sorted.slice(offset, offset + limit).map(name => {
    const { since, ...stats } = hub.channel(name).stats();
    return { name, ...stats, rate: (stats.published * 1_000) / Math.max(Date.now() - since, 1_000) };
  });
  return { total: names.length, offset, rows };
}

const CHANNEL_KEYS: Record<string, Key<ReturnType<ReturnType<Hub['channel']>['stats']>>> = {
  subscribers: stats => stats.subscribers,
  retained: stats => stats.retained,
  bytes: stats => stats.retainedBytes,
  published: stats => stats.published,
};

/** Each key is read once. */
function sortBy<T>(items: readonly T[], key: Key<T> = () => 0, isDescending: boolean): T[] {
  const keyed = items.map(item => ({ item, key: key(item) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) * (isDescending ? -1 : 1));
  return keyed.map(({ item }) => item);
}

function count(text: string | null): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}
