import { execFileSync } from 'node:child_process';
import type { Measurement } from '../measurement.ts';
import { pathOf } from '../program.ts';

export const ENCODE = 'Encoding an event';

/** Tidings first: what the others are compared with. */
const rows = [
  { name: 'tidings', title: 'Tidings, `encodeEvent`' },
  { name: 'concatenation', title: '`JSON.stringify` and concatenation' },
  { name: 'better-sse', title: 'better-sse, `createEventBuffer`' },
];

export const encode: Measurement = {
  name: 'encode',
  about: 'ns of CPU time from an object to the bytes of an event with an id and a name.',
  columns: [
    { name: '130 B', digits: 0, isCompared: true },
    { name: '3500 B', digits: 0, isCompared: true },
  ],
  rows,
  measure: async ({ name }, record) => {
    const parameters = ['--import', pathOf('servers/published.mjs'), pathOf('servers/encode.mjs'), name];
    const figures = JSON.parse(execFileSync(process.execPath, parameters, { encoding: 'utf8' }));
    for (const [size, ns] of Object.entries<number>(figures)) record(ENCODE, `${size} B`, ns);
  },
};
