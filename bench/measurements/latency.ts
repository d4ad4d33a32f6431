import { cpuFor, type Measurement, serving, streamsTitle } from '../measurement.ts';
import { collecting, principalSubjects, type Subject } from '../subjects.ts';

const STREAMS = 1_000;
/** Events a second. */
const RATES = [10, 100];
/** Ms. */
const RUN = 1_000;

export const latency: Measurement<Subject> = {
  name: 'latency',
  about:
    'ms from the scheduled publish of an event to its receipt, over all clients; 130 B events at a fixed rate. CPU: µs of the server’s CPU time for each delivery.',
  columns: RATES.flatMap(rate => [
    { name: `${rate} a second, p50`, digits: 1 },
    { name: `${rate} a second, p99`, digits: 1, isCompared: true },
    { name: `${rate} a second, CPU`, title: 'CPU' },
  ]),
  rows: [...principalSubjects, collecting],
  measure: serving(async (server, client, record, scale) => {
    const streams = Math.min(STREAMS, scale.streams);
    await client.open(server, streams);
    await client.run(server, { ms: RUN / 2 });
    for (const rate of scale.isQuick ? RATES.slice(-1) : RATES) {
      let arrivals = { p50: 0, p99: 0, events: 0 };
      const cpu = await cpuFor(server, async () => {
        arrivals = await client.run(server, { ms: RUN, interval: 1000 / rate });
      });
      const { p50, p99, events } = arrivals;
      const table = `Latency, ${streamsTitle(streams)}`;
      record(table, `${rate} a second, p50`, p50 / 1000);
      record(table, `${rate} a second, p99`, p99 / 1000);
      record(table, `${rate} a second, CPU`, cpu.total / events);
    }
  }),
};
