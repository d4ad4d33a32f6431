import { BYTES, CPU, compressionTable, PAYLOADS } from './compression.ts';
import { STREAMS as DRAINED, drainTable, TOOK, WITHIN } from './measurements/drain.ts';
import { ENCODE } from './measurements/encode.ts';
import { fanOutTable } from './measurements/fan-out.ts';
import { HELD, STREAMS as HELD_STREAMS, holdTable } from './measurements/hold.ts';
import { HEAP_ABOVE, STREAMS as IDLE, idleTable, RSS_GROWN, STALLED } from './measurements/memory.ts';
import { EACH, P50, redisTable } from './measurements/redis.ts';
import { AGAINST_LIVE, STREAMS as RESUMED, stormTable } from './measurements/storm.ts';

/** What the product is held to. */
export interface Goal {
  readonly text: string;
  readonly table: string;
  readonly column: string;
  /** Who is held to it: each of them. */
  readonly rows: readonly string[];
  /** What the figure is divided by: another row's, or the same row's in another table. Absent: the figure counts. */
  readonly per?: { readonly row?: (row: string) => string; readonly table?: string };
  readonly most: number;
  readonly unit?: string;
}

const ON_NODE = ['tidings-express', 'tidings-koa', 'tidings-node'];
const ON_REDIS = ['tidings-redis', 'tidings-ioredis'];
const NATIVE = ['tidings-express-native', 'tidings-koa-native', 'tidings-node-native'];
const ALL = [...ON_NODE, 'tidings-hono'];

const to = (peer: string) => () => peer;
/** A peer where it is on the same framework, if there is one there; Koa costs as much as node:http does. */
const toSame = (peer: string) => (row: string) => (row === 'tidings-express' ? `${peer}-express` : peer);

const bare = (row: string) => row.replace('tidings', 'bare');

const small = fanOutTable(1_000, 130);
const large = fanOutTable(1_000, 3_500);
const ONE = 'one per tick';
const TEN = 'ten per tick';

export const goals: readonly Goal[] = [
  {
    text: '130 B, one per tick, 1,000 streams, to a loop of `write()` in C: with @tidings/native, on node:http',
    table: small,
    column: ONE,
    rows: ['tidings-node-native'],
    per: { row: to('limit') },
    most: 1.25,
  },
  {
    text: '… on Express and Koa',
    table: small,
    column: ONE,
    rows: ['tidings-express-native', 'tidings-koa-native'],
    per: { row: to('limit') },
    most: 1.4,
  },
  {
    text: '… ten per tick, on node:http',
    table: small,
    column: TEN,
    rows: ['tidings-node-native'],
    per: { row: to('limit') },
    most: 1.5,
  },
  {
    text: 'With @tidings/native, one per tick, to nchan',
    table: small,
    column: ONE,
    rows: NATIVE,
    per: { row: to('nchan') },
    most: 1,
  },
  {
    text: '… ten per tick',
    table: small,
    column: TEN,
    rows: NATIVE,
    per: { row: to('nchan') },
    most: 1,
  },
  {
    text: 'Without it, one per tick, to a loop of `res.write(buffer)`: on node:http',
    table: small,
    column: ONE,
    rows: ['tidings-node'],
    per: { row: to('hand-written') },
    most: 1,
  },
  {
    text: '… on Express',
    table: small,
    column: ONE,
    rows: ['tidings-express'],
    per: { row: to('hand-written-express') },
    most: 0.7,
  },
  {
    text: '… ten per tick, on each',
    table: small,
    column: TEN,
    rows: ['tidings-express', 'tidings-node'],
    per: { row: toSame('hand-written') },
    most: 0.35,
  },
  {
    text: 'One per tick, to better-sse, on the same framework',
    table: small,
    column: ONE,
    rows: ON_NODE,
    per: { row: toSame('better-sse') },
    most: 0.6,
  },
  {
    text: 'Ten per tick, likewise',
    table: small,
    column: TEN,
    rows: ON_NODE,
    per: { row: toSame('better-sse') },
    most: 0.2,
  },
  {
    text: '3.5 KB, one per tick, to better-sse, likewise',
    table: large,
    column: ONE,
    rows: ON_NODE,
    per: { row: toSame('better-sse') },
    most: 0.4,
  },
  {
    text: 'Hono on Node, 130 B, one per tick, to its own streamSSE',
    table: small,
    column: ONE,
    rows: ['tidings-hono'],
    per: { row: to('hono-stream-sse') },
    most: 0.3,
  },
  {
    text: '10,000 streams to 100, 130 B, one per tick',
    table: fanOutTable(10_000, 130),
    column: ONE,
    rows: ALL,
    per: { table: fanOutTable(100, 130) },
    most: 1.25,
  },
  {
    text: 'Longest hold of the event loop while an event goes to 10,000 streams',
    table: holdTable(HELD_STREAMS),
    column: HELD,
    rows: ON_NODE,
    most: 10,
    unit: 'ms',
  },
  {
    text: '… on Hono',
    table: holdTable(HELD_STREAMS),
    column: HELD,
    rows: ['tidings-hono'],
    most: 15,
    unit: 'ms',
  },
  {
    text: 'Heap of an idle stream, above node:http',
    table: idleTable(IDLE),
    column: HEAP_ABOVE,
    // What a framework adds is its own.
    rows: ['tidings-node'],
    most: 1024,
    unit: 'B',
  },
  {
    text: 'RSS, after 100 MB past a client that does not read',
    table: STALLED,
    column: RSS_GROWN,
    rows: ALL,
    most: 4,
    unit: 'MB',
  },
  {
    text: '10,000 clients that resume 100 events, to sending the same live',
    table: stormTable(RESUMED),
    column: AGAINST_LIVE,
    rows: ALL,
    most: 1.5,
  },
  {
    text: 'Encoding 130 B, to `JSON.stringify` and concatenation',
    table: ENCODE,
    column: '130 B',
    rows: ['tidings'],
    per: { row: to('concatenation') },
    most: 1.3,
  },
  {
    text: 'Draining 5,000 streams within 3 s',
    table: drainTable(DRAINED),
    column: TOOK,
    rows: ALL,
    most: WITHIN,
    unit: 'ms',
  },
  {
    text: 'From one process to another through Redis, p50, to bare Pub/Sub with the same client',
    table: redisTable,
    column: P50,
    rows: ON_REDIS,
    per: { row: bare },
    most: 1.5,
  },
  {
    text: '… 1,000 publishes in one tick, likewise: time for each',
    table: redisTable,
    column: EACH,
    rows: ON_REDIS,
    per: { row: bare },
    most: 1 / 0.7,
  },
  ...[
    { payload: 'ticks', most: 1 / 4 },
    { payload: 'html', most: 1 / 10 },
  ].map(({ payload, most }) => ({
    text: `Compression, 1,000 streams, ${PAYLOADS[payload]}: bytes, to none`,
    table: compressionTable(1_000, payload),
    column: BYTES,
    rows: ['on'],
    per: { row: to('off') },
    most,
  })),
  {
    text: '… CPU, likewise',
    table: compressionTable(1_000, 'ticks'),
    column: CPU,
    rows: ['on'],
    per: { row: to('off') },
    most: 1.1,
  },
];
