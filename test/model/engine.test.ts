import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import type { Course } from './course.ts';
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
/** A course with SQLite takes as long as ten others. */
const coursesWithSqlite = RUNS === undefined && MINUTES === undefined ? 100 : courses;
const isLong = courses > 20_000;
const threads = Number(THREADS ?? (isLong ? availableParallelism() : 1));

const VARIANTS: [name: string, nodes: number, store?: Course['store']][] = [
  ['in one process', 0],
  ['on one node with a broker', 1],
  ['on two nodes', 2],
  ['on one node with SQLite', 1, 'sqlite'],
  ['on two nodes with SQLite', 2, 'sqlite'],
];

it.each(VARIANTS)(
  'delivers each event once and in order, or sends a reset: %s',
  { timeout: isLong ? 86_400_000 : 300_000 },
  async (_, nodes, store) => {
    if (COURSE !== undefined) {
      expect(await explain(Number(COURSE), nodes, store)).toBe('');
      return;
    }
    const minutes = MINUTES === undefined ? undefined : Number(MINUTES);
    const count = store === undefined ? courses : coursesWithSqlite;
    const exploration = {
      seed,
      nodes,
      store,
      courses: count,
      minutes,
      threads,
      isThorough: ALL !== undefined,
    };
    const { courses: played, cpu, failures } = await explore(exploration);
    if (isLong)
      console.log(`${played} courses, ${Math.round(played / cpu)} a second of CPU time, SEED=${seed}`);
    const kinds = [...failures].sort(([, one], [, other]) => other.length - one.length);
    const list = kinds.map(([kind, [first, ...rest]]) => `${1 + rest.length} × ${kind} (COURSE=${first})`);
    const [first] = kinds;
    if (first !== undefined) {
      expect.fail(
        `SEED=${seed}\n${list.join('\n')}\n\n${await explain(first[1][0] as number, nodes, store)}`,
      );
    }
  },
);

/** What goes wrong in a course, as a trace of one that is as short as it can be; nothing if nothing does. */
async function explain(index: number, nodes: number, store: Course['store']): Promise<string> {
  let course = createCourse(seed, index, nodes, store);
  const failure = await verdictOf(course);
  if (failure === undefined) return '';
  if (SHRINK !== '0') course = await shrink(course, failure, verdictOf);
  return `SEED=${seed} COURSE=${index}: ${printTrace(course, await play(course, true))}`;
}
