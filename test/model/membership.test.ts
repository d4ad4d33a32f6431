import { expect, it } from 'vitest';
import { playMembership } from './membership.ts';

/*
 * Random courses. The same ones each time, unless the environment says otherwise:
 *
 *   SEED=7 RUNS=10000 STEPS=200   other courses, how many, and how long
 *   TRACE=1                       prints what happens
 */
const { SEED, RUNS, STEPS, TRACE } = process.env;
const first = Number(SEED ?? 1);
const runs = Number(RUNS ?? 300);
const steps = Number(STEPS ?? 60);

it('members of rooms receive the events of their membership once, and no others', {
  timeout: 86_400_000,
}, async () => {
  for (let seed = first; seed < first + runs; seed++) {
    const course = await playMembership(seed, steps);
    if (TRACE !== undefined) console.log([...course.trace, ...course.faults].join('\n'));
    expect(course.faults, `SEED=${seed} RUNS=1`).toEqual([]);
  }
});
