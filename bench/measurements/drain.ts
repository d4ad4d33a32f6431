import { type Measurement, serving, streamsTitle } from '../measurement.ts';
import { type Subject, subjects } from '../subjects.ts';

export const STREAMS = 5_000;
/** Ms. */
export const WITHIN = 3_000;

export const TOOK = 'server closed after, ms';
const CLEAN = 'ended in order, %';

export function drainTable(streams: number): string {
  return `Draining ${streamsTitle(streams)} within ${WITHIN / 1000} s`;
}

export const drain: Measurement<Subject> = {
  name: 'drain',
  byDefault: 'unless quick',
  about:
    'Time from `server.close()` until the last connection has closed, and the share of clients that received the normal end of their response.',
  columns: [
    { name: TOOK, digits: 0 },
    { name: CLEAN, digits: 1 },
  ],
  rows: subjects.filter(({ drains }) => drains),
  measure: serving(async (server, client, record, scale) => {
    const streams = Math.min(STREAMS, scale.streams);
    await client.open(server, streams);
    const [took, { ended, clean }] = await Promise.all([
      server.ask('drain', WITHIN),
      client.ends(2 * WITHIN),
    ]);
    if (ended !== streams) throw new Error(`${streams - ended} streams have not ended`);
    record(drainTable(streams), TOOK, took);
    record(drainTable(streams), CLEAN, (clean / streams) * 100);
  }),
};
