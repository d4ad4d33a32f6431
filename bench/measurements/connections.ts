import { setTimeout as sleep } from 'node:timers/promises';
import { cpuFor, type Measurement, serving, streamsTitle } from '../measurement.ts';
import { principalSubjects, type Subject } from '../subjects.ts';

const STREAMS = 5_000;
const WARM_UP = 500;

export const connections: Measurement<Subject> = {
  name: 'connections',
  byDefault: 'unless quick',
  about:
    'µs of the server’s CPU time for each stream that opens, and for each stream whose client disconnects.',
  columns: [
    { name: 'opened', digits: 0, isCompared: true },
    { name: 'opened a second', digits: 0 },
    { name: 'closed', digits: 0, isCompared: true },
  ],
  rows: principalSubjects.filter(({ onNode }) => onNode),
  measure: serving(async (server, client, record, scale) => {
    const streams = Math.min(STREAMS, scale.streams);
    const closing = async () => {
      await client.close();
      while ((await server.ask('connections')) > 0) await sleep(50);
    };
    await client.open(server, WARM_UP);
    await closing();
    let ms = 0;
    const opened = await cpuFor(server, async () => {
      ms = await client.open(server, streams);
    });
    const closed = await cpuFor(server, closing);
    const table = `Opening and closing ${streamsTitle(streams)}`;
    record(table, 'opened', opened.total / streams);
    record(table, 'opened a second', (streams / ms) * 1000);
    record(table, 'closed', closed.total / streams);
  }),
};
