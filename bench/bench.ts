// `pnpm bench [measurement ...]`: measures all servers in turn, and prints what came out as Markdown.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { compression } from './compression.ts';
import type { Measurement, Row } from './measurement.ts';
import { connections } from './measurements/connections.ts';
import { drain } from './measurements/drain.ts';
import { encode } from './measurements/encode.ts';
import { fanOut } from './measurements/fan-out.ts';
import { hold } from './measurements/hold.ts';
import { latency } from './measurements/latency.ts';
import { memory, stalled } from './measurements/memory.ts';
import { redis } from './measurements/redis.ts';
import { storm } from './measurements/storm.ts';
import { buildPrevious } from './previous.ts';
import { pathOf } from './program.ts';
import { report } from './report.ts';
import { Results } from './results.ts';
import { isInQuick, type Subject } from './subjects.ts';

const all = [
  fanOut,
  hold,
  latency,
  memory,
  stalled,
  storm,
  connections,
  drain,
  encode,
  redis,
  compression,
] as Measurement[];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** How often each is measured. */
    rounds: { type: 'string', default: '3' },
    /** Streams at most. */
    streams: { type: 'string', default: '10000' },
    /** Names of servers, with commas. Default: all. */
    servers: { type: 'string' },
    /** Two rounds of what shows soonest whether a change has made Tidings slower: see README.md. */
    quick: { type: 'boolean', default: false },
    /** A commit, tag or branch, whose packages are measured beside those of this tree. */
    previous: { type: 'string' },
    /** Puts the result into the README. */
    write: { type: 'boolean', default: false },
  },
});
const rounds = values.quick ? 2 : Number(values.rounds);
const scale = { streams: values.quick ? 1_000 : Number(values.streams), isQuick: values.quick };
const wanted = values.servers?.split(',');
const unknown = positionals.filter(name => all.every(measurement => measurement.name !== name));
if (unknown.length > 0) {
  console.error(`no such measurement: ${unknown}; there are ${all.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

if (values.previous !== undefined) buildPrevious(values.previous);
const measurements = all.filter(isWanted);
const results = new Results();
for (const measurement of measurements) {
  // In turn, so that what the machine does meanwhile falls on all alike.
  for (let round = 1; round <= rounds; round++) {
    for (const row of measurement.rows.filter(isMeasured)) {
      if (results.error(measurement.name, row.name) !== undefined) continue;
      process.stderr.write(`\r\x1b[K${measurement.name}, round ${round} of ${rounds}: ${row.title}`);
      try {
        await measurement.measure(
          row,
          (table, column, figure) => results.record(measurement.name, table, row.name, column, figure),
          scale,
        );
      } catch (error) {
        results.fail(measurement.name, row.name, error);
      }
    }
  }
}
process.stderr.write('\r\x1b[K');

const text = report(measurements, results, rounds);
console.log(text);
if (values.write) {
  const readme = pathOf('README.md');
  const marks = /(?<=<!-- results -->\n)[\s\S]*(?=<!-- end of results -->)/;
  writeFileSync(
    readme,
    readFileSync(readme, 'utf8').replace(marks, () => `\n${text}\n\n`),
  );
}
if (results.hasFailures) process.exitCode = 1;

function isWanted({ name, byDefault }: Measurement): boolean {
  if (positionals.length > 0) return positionals.includes(name);
  return byDefault === undefined || (byDefault === 'unless quick' && !values.quick);
}

function isMeasured(row: Row): boolean {
  if ('version' in row) {
    if (wanted === undefined ? values.quick && !isInQuick(row as Subject) : !wanted.includes(row.name))
      return false;
  }
  return (row as Subject).missing?.() === undefined;
}
