import { type Measurement, serving, streamsTitle, withClient } from '../measurement.ts';
import { type Subject, subjects } from '../subjects.ts';

export const STREAMS = 10_000;
/** Ms between two events. */
const INTERVAL = 200;
const EVENTS = 10;
/** Ms between two requests for something else. */
const PROBE_INTERVAL = 2;

export function holdTable(streams: number): string {
  return `While an event is sent to ${streamsTitle(streams)} every ${INTERVAL} ms`;
}

export const HELD = 'longest hold of the event loop, ms';

export const hold: Measurement<Subject> = {
  name: 'hold',
  byDefault: 'unless quick',
  about: 'The longest time for which the event loop is blocked, and the response time of another route.',
  columns: [
    { name: HELD, digits: 1, isCompared: true },
    { name: 'GET /ping, p50, ms', digits: 1 },
    { name: 'GET /ping, p99, ms', digits: 1, isCompared: true },
  ],
  rows: subjects.filter(({ onNode, isPrincipal, isNative }) => onNode && (isPrincipal || isNative)),
  measure: serving(async (server, client, record, scale) => {
    const streams = Math.min(STREAMS, scale.streams);
    await client.open(server, streams);
    await client.run(server, { rounds: 3 });
    await server.ask('memory');
    await server.ask('watch');
    const [, answers] = await withClient(other =>
      Promise.all([
        client.run(server, { rounds: EVENTS, interval: INTERVAL }),
        other.probe(server, (EVENTS * INTERVAL) / PROBE_INTERVAL, PROBE_INTERVAL),
      ]),
    );
    const table = holdTable(streams);
    record(table, HELD, await server.ask('held'));
    record(table, 'GET /ping, p50, ms', answers.p50 / 1000);
    record(table, 'GET /ping, p99, ms', answers.p99 / 1000);
  }),
};
