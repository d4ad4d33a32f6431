import { writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { mix } from '../../../../test/model/chance.ts';
import { runCourse } from './course.ts';
import { stubBrowser } from './fake-browser.ts';

/** Network and timers are real: a seed gives the same moves, and not the same course. */
const SEED = Number(process.env.SEED ?? Date.now());
/** Courses that run side by side, and how often. */
const RUNS = Number(process.env.RUNS ?? 10);
const REPEATS = Number(process.env.REPEATS ?? 1);

beforeAll(stubBrowser);
afterAll(() => void vi.unstubAllGlobals());

/** TRACE: a file for what has happened in the last course that failed. */
function write(trace: unknown[][]): void {
  const line = (what: unknown) => {
    const bytes = what instanceof Uint8Array ? new TextDecoder().decode(what) : what;
    return inspect(bytes, { depth: 5, breakLength: Number.POSITIVE_INFINITY });
  };
  if (process.env.TRACE)
    writeFileSync(process.env.TRACE, trace.map(each => each.map(line).join(' ')).join('\n'));
}

it('tabs that share a connection receive each event once and in order while leaders are lost', {
  timeout: REPEATS * 60_000,
}, async () => {
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const seeds = Array.from({ length: RUNS }, (_, index) => mix(SEED + repeat, index));
    const courses = await Promise.all(seeds.map(seed => runCourse(seed)));
    for (const { wrong, trace } of courses) if (wrong.length > 0) write(trace);
    expect(
      courses.flatMap(({ wrong }) => wrong),
      `SEED=${SEED + repeat}`,
    ).toEqual([]);
  }
});
