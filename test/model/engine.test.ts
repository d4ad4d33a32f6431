import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { explore } from './explore.ts';
import { play, verdictOf } from './play.ts';
import { shrink } from './shrink.ts';
import { createCourse } from './swarm.ts';
import { printTrace } from './trace.ts';

/*
 * Random courses, which a judge at each stream looks at. The same ones each time, unless the environment says otherwise:
 *
 *   SEED=7 RUNS=100000        other courses, and how many of each variant
 *   MINUTES=30                for each variant, as many as that takes
 *   THREADS=1                 default: one, and all cores for more than 20,000 runs or for MINUTES
 *   ALL=1                     goes on after a failure, and lists the kinds of failures
 *   COURSE=123                that course alone, in the process of the test
 *   SHRINK=0                  a course that fails is printed as it is, rather than made as short as it can be
 */
const { SEED, RUNS, MINUTES, THREADS, ALL, COURSE, SHRINK } = process.env;
const seed = Number(SEED ?? 3);
// Few, and these, until the engine is right about what is in courses/.
const courses = MINUTES === undefined ? Number(RUNS ?? 800) : Number.MAX_SAFE_INTEGER;
const isLong = courses > 20_000;
const threads = Number(THREADS ?? (isLong ? availableParallelism() : 1));

const VARIANTS = [
  ['in one process', 0],
  ['on one node with a broker', 1],
  ['on two nodes', 2],
] as const;

it.each(VARIANTS)(
  'loses nothing, repeats nothing and keeps the order, or says so: %s',
  { timeout: isLong ? 86_400_000 : 300_000 },
  async (_, nodes) => {
    if (COURSE !== undefined) {
      expect(await explain(nodes, Number(COURSE))).toBe('');
      return;
    }
    const minutes = MINUTES === undefined ? undefined : Number(MINUTES);
    const exploration = { seed, nodes, courses, minutes, threads, isThorough: ALL !== undefined };
    const { courses: count, cpu, failures } = await explore(exploration);
    if (isLong)
      console.log(`${count} courses, ${Math.round(count / cpu)} a second of CPU time, SEED=${seed}`);
    const kinds = [...failures].sort(([, one], [, other]) => other.length - one.length);
    const list = kinds.map(([kind, [first, ...rest]]) => `${1 + rest.length} × ${kind} (COURSE=${first})`);
    const [first] = kinds;
    if (first !== undefined) {
      expect.fail(`SEED=${seed}\n${list.join('\n')}\n\n${await explain(nodes, first[1][0] as number)}`);
    }
  },
);

/** What goes wrong in a course, as a trace of one that is as short as it can be; nothing if nothing does. */
async function explain(nodes: number, index: number): Promise<string> {
  let course = createCourse(seed, index, nodes);
  const failure = await verdictOf(course);
  if (failure === undefined) return '';
  if (SHRINK !== '0') course = await shrink(course, failure, verdictOf);
  return `SEED=${seed} COURSE=${index}: ${printTrace(course, await play(course, true))}`;
}
