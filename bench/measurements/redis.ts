import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../test/support/server.ts';
import type { Measurement, Row } from '../measurement.ts';
import { accepts, endProgram, firstOf, pathOf, startProgram } from '../program.ts';

const REDIS = '/usr/bin/redis-server';

export const redisTable = 'Through Redis, from one process to another';
export const P50 = 'p50';
const FLOODED = 'p99 beside a flood';
export const EACH = 'each of 1,000 in a tick';

/** Events, and ms between them. */
const PACE = [400, 5] as const;
/** Before: a process that has run for a while has its code compiled. */
const WARM_UP = [3_000, 1] as const;
/** Events, and how many of them in a turn. */
const BURSTS = [20_000, 1_000] as const;

const missing = () => (existsSync(REDIS) ? undefined : 'apt-get install redis-server');

const rows = ['redis', 'ioredis'].flatMap(client => [
  { name: `tidings-${client}`, title: `Tidings, \`${client}\``, what: 'tidings', client, missing },
  {
    name: `script-${client}`,
    title: `a script that stores and publishes, \`${client}\``,
    what: 'script',
    client,
    missing,
  },
  { name: `bare-${client}`, title: `bare \`PUBLISH\`, \`${client}\``, what: 'bare', client, missing },
]);

export const redis: Measurement<Row & { what: string; client: string }> = {
  name: 'redis',
  byDefault: 'unless quick',
  about:
    'µs from `publish` in one process until a stream or subscriber of another process receives the event, at 200 events a second, alone and while 20 MB a second are published to another channel; and the time for each event when 20,000 are published as fast as they are accepted. Tidings stores each event for clients that reconnect; `PUBLISH` does not. The script has three commands, `HINCRBY`, `XADD` and `PUBLISH`: the minimum that stores events, without limits, and without the handling of restarts, lost replies and gaps.',
  columns: [
    { name: P50, digits: 0 },
    { name: 'p99', digits: 0 },
    { name: FLOODED, digits: 0 },
    { name: EACH, digits: 1 },
  ],
  rows,
  measure: async ({ what, client }, record) => {
    const port = await freePort();
    const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', tmpdir()];
    const server = startProgram(REDIS, [...place, '--save', '', '--appendonly', 'no'], 'ignore');
    const ends: ChildProcess[] = [];
    try {
      while (!(await accepts(port))) await sleep(10);
      for (let count = 0; count < 2; count++) {
        const parameters = [pathOf('servers/redis-node.mjs'), what, client, `redis://127.0.0.1:${port}`];
        const end = startProgram(
          process.execPath,
          ['--import', pathOf('servers/published.mjs'), ...parameters],
          ['ignore', 'inherit', 'inherit', 'ipc'],
        );
        ends.push(end);
        await firstOf(end, 'message');
      }
      const [from, to] = ends as [ChildProcess, ChildProcess];
      const run = async (job: string, count: number, pace: number) => {
        await ask(to, 'expect', count);
        const start = await ask<number>(from, job, count, pace);
        return { start, ...(await ask<{ took: number[]; end: number }>(to, 'received')) };
      };
      for (const isWarm of [false, true]) {
        const { took } = isWarm ? await run('pace', ...PACE) : await run('pace', ...WARM_UP);
        const { start, end } = await run('bursts', ...BURSTS);
        if (!isWarm) continue;
        const flooded = await run('flooded', ...PACE);
        record(redisTable, FLOODED, flooded.took[Math.floor(flooded.took.length * 0.99)] as number);
        record(redisTable, P50, took[took.length / 2] as number);
        record(redisTable, 'p99', took[Math.floor(took.length * 0.99)] as number);
        record(redisTable, EACH, (end - start) / BURSTS[0]);
      }
    } finally {
      for (const end of ends) await endProgram(end);
      await endProgram(server);
    }
  },
};

async function ask<T>(program: ChildProcess, job: string, ...given: number[]): Promise<T> {
  program.send({ job, given });
  return (await firstOf<{ result: T }>(program, 'message')).result;
}
