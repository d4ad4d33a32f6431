import { parentPort, workerData } from 'node:worker_threads';
import type { Course } from './course.ts';
import { playMembership } from './membership.ts';
import { play } from './play.ts';
import { createCourse } from './swarm.ts';

/** What a thread is to do: every `step`th course of a seed, from one on. */
export interface Task {
  readonly seed: number;
  readonly nodes: number;
  readonly store: Course['store'];
  readonly first: number;
  readonly step: number;
  /** Not this one. */
  readonly end: number;
  /** ms since 1970 */
  readonly deadline: number;
  /** Goes on when a course has failed. */
  readonly isThorough: boolean;
  /** In place of those of the seed. */
  readonly known: readonly Course[] | undefined;
  /** The courses are those of membership.ts. */
  readonly ofMembership: boolean;
  /** The course under way, for when it does not come back; and how many are over. */
  readonly progress: Int32Array;
}

/** What it says of a course that has failed. */
export interface Found {
  readonly index: number;
  /** Courses that fail for the same reason have the same. */
  readonly kind: string;
}

/** As in membership.test.ts. */
const MEMBERSHIP_STEPS = 60;

/** What went wrong in one course. */
async function faultOf(task: Task, index: number): Promise<string | undefined> {
  const { seed, nodes, store, known, ofMembership } = task;
  if (ofMembership) return (await playMembership(seed + index, MEMBERSHIP_STEPS)).faults[0];
  const { failure } = await play(known?.[index] ?? createCourse(seed, index, nodes, store));
  return failure && `${failure.fault}: ${failure.text}`;
}

async function work(task: Task): Promise<void> {
  const { first, step, end, deadline, isThorough, progress } = task;
  let isRejected = false;
  process.on('unhandledRejection', () => {
    isRejected = true;
  });
  for (let index = first; index < end && Date.now() < deadline; index += step) {
    progress[0] = index;
    isRejected = false;
    const fault = await faultOf(task, index);
    progress[1] = (progress[1] as number) + 1;
    if (fault === undefined && !isRejected) continue;
    const kind = fault ?? 'unhandled rejection';
    parentPort?.postMessage({
      index,
      kind: kind
        .replace(/\b[\da-f]{12}\b/g, 'E')
        .replace(/\d+/g, 'N')
        .replace(/\b[abc]\b|\b[abc]N/g, '_'),
    } satisfies Found);
    if (!isThorough) return;
  }
}

if (parentPort !== null) await work(workerData as Task);
