import { Clock } from './clock.ts';
import type { Course } from './course.ts';
import { type Failure, Run } from './run.ts';
import { awaitTurns, makeTurns } from './turns.ts';

const clock = new Clock();

/** Runs one course. Nothing else must run beside it: time and chance are its own. */
export async function play(course: Course, isTraced = false): Promise<Run> {
  const { stackTraceLimit } = Error;
  // Nobody looks at the stacks of errors that were ordered, and they cost more than the rest of an error.
  if (!isTraced) Error.stackTraceLimit = 0;
  clock.start();
  const run = new Run(course, clock, isTraced);
  // A file of SQLite needs turns of Node.js.
  const pass = course.store === undefined ? makeTurns : awaitTurns;
  try {
    await pass(() => run.play());
  } catch (error) {
    run.fail(
      'hub',
      'wrong answer',
      `throws ${error instanceof Error ? (error.stack ?? error.message) : error}`,
    );
  } finally {
    clock.stop();
    await run.close();
    Error.stackTraceLimit = stackTraceLimit;
  }
  return run;
}

export async function verdictOf(course: Course): Promise<Failure | undefined> {
  return (await play(course)).failure;
}
