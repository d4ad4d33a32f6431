import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../client.ts';
import { type Measurement, serving, streamsTitle, withClient } from '../measurement.ts';
import type { Server } from '../server.ts';
import { nodeSubjects, type Subject } from '../subjects.ts';

export const STREAMS = 2_000;
const WARM_UP = 500;
const MB = 1_000_000;

export const HEAP_ABOVE = 'heap above node:http, B';

export function idleTable(streams: number): string {
  return `Memory of an idle stream, of ${streamsTitle(streams)}`;
}

export const memory: Measurement<Subject> = {
  name: 'memory',
  about:
    'Bytes of the server process for each idle stream. Heap: above a response of node:http with the same headers and no stream. RSS: the whole process.',
  columns: [
    { name: HEAP_ABOVE, digits: 0, isCompared: true },
    { name: 'RSS, B', digits: 0, isCompared: true },
  ],
  rows: nodeSubjects,
  measure: serving(async (server, client, record, scale) => {
    const streams = Math.min(STREAMS, scale.streams);
    const paths = ['/', '/bare'];
    // Once for what is made on first use.
    for (const path of paths) await grown(server, client, WARM_UP, path);
    // RSS does not shrink again, so the first time counts; and of the heap the second, with all code compiled.
    const { rss } = await grown(server, client, streams, '/');
    await grown(server, client, streams, '/bare');
    const whole = await grown(server, client, streams, '/');
    const bare = await grown(server, client, streams, '/bare');
    const table = idleTable(streams);
    record(table, HEAP_ABOVE, (whole.heap - bare.heap) / streams);
    record(table, 'RSS, B', rss / streams);
  }),
};

/** By how much streams let the memory of a server grow. */
async function grown(server: Server, client: Client, streams: number, path: string) {
  const before = await settled(server);
  await client.open(server, streams, {}, path);
  const after = await settled(server);
  await client.close();
  while ((await server.ask('connections')) > 0) await sleep(50);
  return { heap: after.heap - before.heap, rss: after.rss - before.rss };
}

/** The memory of a server, once it shrinks no more: what connections leave behind goes by and by. */
async function settled(server: Server) {
  for (let last = await server.ask('memory'); ; ) {
    await sleep(100);
    const memory = await server.ask('memory');
    if (memory.heap > last.heap - MB / 20) return memory;
    last = memory;
  }
}

/** Bytes of an event, and how many it takes for 100 MB. */
const SIZE = 10_000;
const EVENTS = 10_000;

export const STALLED = '100 MB published past a client that does not read';
export const RSS_GROWN = 'RSS grows by, MB';

export const stalled: Measurement<Subject> = {
  name: 'stalled',
  byDefault: 'unless quick',
  about: `${EVENTS.toLocaleString('en')} events of ${SIZE / 1000} KB; another client reads them all. Measured after a full garbage collection.`,
  columns: [
    { name: RSS_GROWN, digits: 1 },
    { name: 'heap grows by, MB', digits: 1 },
  ],
  rows: nodeSubjects,
  measure: serving(async (server, reader, record) => {
    await reader.open(server, 1);
    // Once for what is made on first use: buffers, code, histories.
    await reader.run(server, { rounds: EVENTS, size: SIZE });
    const before = await server.ask('memory');
    await withClient(async laggard => {
      // Of whom nothing is asked any more, so that it does not read.
      await laggard.open(server, 1);
      await reader.run(server, { rounds: EVENTS, size: SIZE });
      const after = await server.ask('memory');
      record(STALLED, RSS_GROWN, (after.rss - before.rss) / MB);
      record(STALLED, 'heap grows by, MB', (after.heap - before.heap) / MB);
    });
  }),
};
