import type { Client } from '../client.ts';
import { cpuFor, type Measurement, serving, streamsTitle, withClient } from '../measurement.ts';
import type { Server } from '../server.ts';
import { type Subject, subjects } from '../subjects.ts';

export const STREAMS = 10_000;
const MISSED = 100;
const WARM_UP = 1_500;

export const AGAINST_LIVE = 'resuming ÷ live';

export function stormTable(streams: number): string {
  return `${streamsTitle(streams)} reconnect at once, and each resumes ${MISSED} events`;
}

export const storm: Measurement<Subject> = {
  name: 'storm',
  byDefault: 'unless quick',
  about:
    'µs of the server’s CPU time for each client. Live: the client connects, and receives 100 events that are published in one tick. Resuming: the client connects with the id of the event before them.',
  columns: [
    { name: 'live', digits: 0 },
    { name: 'resuming', digits: 0, isCompared: true },
    { name: AGAINST_LIVE },
    { name: 'longest hold, ms', digits: 1, isCompared: true },
  ],
  rows: subjects.filter(({ resumes }) => resumes),
  measure: serving(async (server, client, record, scale) => {
    await live(server, client, WARM_UP);
    await comingBack(server, client, WARM_UP);
    const streams = Math.min(STREAMS, scale.streams);
    const table = stormTable(streams);
    const liveCpu = await live(server, client, streams);
    const { cpu, held } = await comingBack(server, client, streams);
    record(table, 'live', liveCpu / streams);
    record(table, 'resuming', cpu / streams);
    record(table, AGAINST_LIVE, cpu / liveCpu);
    if (held !== undefined) record(table, 'longest hold, ms', held);
  }),
};

async function live(server: Server, client: Client, streams: number): Promise<number> {
  const cpu = await cpuFor(server, async () => {
    await client.open(server, streams);
    await client.run(server, { events: MISSED });
  });
  await client.close();
  return cpu.total;
}

async function comingBack(server: Server, client: Client, streams: number) {
  const id = await missEvents(server);
  if (server.isOnNode) await server.ask('watch');
  const cpu = await cpuFor(server, async () => {
    await client.open(server, streams, { 'last-event-id': id });
    await client.receive(MISSED);
  });
  const held = server.isOnNode ? await server.ask('held') : undefined;
  await client.close();
  return { cpu: cpu.total, held };
}

/** Publishes events, and returns the id of the one before them. */
async function missEvents(server: Server): Promise<string> {
  const stop = new AbortController();
  const response = await fetch(`http://127.0.0.1:${server.port}/`, {
    headers: { accept: 'text/event-stream' },
    signal: stop.signal,
  });
  let text = '';
  const reading = (async () => {
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      if (/#[^\n]*\n(id: [^\n]*\n)?\n$/.test(text)) return;
    }
  })();
  await withClient(async other => {
    // A client of its own sees to it that they have been published.
    await other.open(server, 1);
    await other.run(server, {});
    await reading;
    stop.abort();
    await other.run(server, { events: MISSED });
  });
  const id = [...text.matchAll(/^id: ?(.*)$/gm)].at(-1)?.[1];
  if (id === undefined) throw new Error('the event has no id');
  return id;
}
