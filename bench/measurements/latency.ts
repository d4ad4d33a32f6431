import { type Measurement, serving, streamsTitle } from '../measurement.ts';
import { principalSubjects, type Subject } from '../subjects.ts';

const STREAMS = 1_000;
/** Events a second. */
const RATES = [10, 100];
/** Ms. */
const RUN = 1_000;

export const latency: Measurement<Subject> = {
  name: 'latency',
  about:
    'Ms from the moment at which an event was to be published to its receipt, over all clients; 130 B events at a fixed rate.',
  columns: RATES.flatMap(rate => [
    { name: `${rate} a second, p50`, digits: 1 },
    { name: `${rate} a second, p99`, digits: 1, isCompared: true },
  ]),
  rows: principalSubjects,
  measure: serving(async (server, client, record, scale) => {
    const streams = Math.min(STREAMS, scale.streams);
    await client.open(server, streams);
    await client.run(server, { ms: RUN / 2 });
    for (const rate of RATES) {
      const { p50, p99 } = await client.run(server, { ms: RUN, interval: 1000 / rate });
      const table = `Latency, ${streamsTitle(streams)}`;
      record(table, `${rate} a second, p50`, p50 / 1000);
      record(table, `${rate} a second, p99`, p99 / 1000);
    }
  }),
};
