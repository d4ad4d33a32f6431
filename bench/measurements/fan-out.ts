import { cpuFor, type Measurement, serving, streamCounts, streamsTitle } from '../measurement.ts';
import { type Subject, subjects } from '../subjects.ts';

const STREAMS = [100, 1_000, 10_000];
const SIZES = [130, 3_500];
/** How many events are published in one turn of the event loop. */
const PER_TURN = { 'one per tick': 1, 'ten per tick': 10 };

/** Ms. */
const WARM_UP = 60;
const RUN = 250;

export function fanOutTable(streams: number, size: number): string {
  return `Fan-out, ${streamsTitle(streams)}, ${size.toLocaleString('en')} B`;
}

export const fanOut: Measurement<Subject> = {
  name: 'fan-out',
  about:
    'µs of the server’s CPU time for each event that arrives at one client. The next event is published when the previous one has arrived at all clients.',
  columns: Object.keys(PER_TURN).flatMap(name => [
    { name, isCompared: true },
    { name: `${name}: user`, title: 'user', isPart: true },
    { name: `${name}: system`, title: 'system', isPart: true },
  ]),
  rows: subjects,
  measure: serving(async (server, client, record, scale) => {
    let opened = 0;
    for (const streams of streamCounts(STREAMS, scale)) {
      await client.open(server, streams - opened);
      if (opened === 0) await client.run(server, { events: 1, ms: 10 * WARM_UP });
      opened = streams;
      for (const size of scale.isQuick ? SIZES.slice(0, 1) : SIZES) {
        for (const [column, events] of Object.entries(PER_TURN)) {
          await client.run(server, { events, size, ms: WARM_UP });
          let arrived = 0;
          const cpu = await cpuFor(server, async () => {
            arrived = (await client.run(server, { events, size, ms: RUN })).events;
          });
          const table = fanOutTable(streams, size);
          record(table, column, cpu.total / arrived);
          record(table, `${column}: user`, cpu.user / arrived);
          record(table, `${column}: system`, cpu.system / arrived);
        }
      }
    }
  }),
};
