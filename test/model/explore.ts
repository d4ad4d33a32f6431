import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import type { Course } from './course.ts';
import type { Found, Task } from './worker.ts';

export interface Exploration {
  seed: number;
  nodes: number;
  store: Course['store'];
  courses: number;
  /** Default: no limit. */
  minutes: number | undefined;
  threads: number;
  /** Goes on when a course has failed. */
  isThorough: boolean;
  /** Run in place of the first courses of the seed. */
  known?: readonly Course[];
  /** The courses are those of membership.ts. Default: false. */
  ofMembership?: boolean;
}

export interface Outcome {
  /** How many courses were run. */
  courses: number;
  /** CPU time of this process, in s. */
  cpu: number;
  /** Courses that have failed, by the kind of failure. */
  failures: Map<string, number[]>;
}

/** ms without an end of any course after which a thread counts as stuck. */
const STUCK = 60_000;

/** Runs many courses of a seed, in threads of their own. */
export async function explore(exploration: Exploration): Promise<Outcome> {
  return withWorker(undefined, file => exploreWith(file, exploration));
}

/**
 * Bundles what runs in a thread, for as long as it is used: a course takes two thirds of the time that it takes with
 * modules transformed one by one.
 *
 * @param core the folder of the engine's sources. Default: those of this repository.
 */
export async function withWorker<T>(core: string | undefined, use: (file: string) => Promise<T>): Promise<T> {
  // Where the drivers of SQLite are found, which are not bundled.
  const directory = mkdtempSync(fileURLToPath(new URL('../node_modules/tidings-model-', import.meta.url)));
  const outfile = join(directory, 'worker.mjs');
  try {
    buildSync({
      entryPoints: [fileURLToPath(new URL('./worker.ts', import.meta.url))],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      external: ['libsql', 'better-sqlite3'],
      logLevel: 'error',
      // Binding callbacks to an async context takes time, and a course has none.
      define: { 'globalThis.process': 'undefined' },
      ...(core && { alias: { '@tidings/core': join(core, 'index.ts') } }),
    });
    return await use(outfile);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export async function exploreWith(file: string, exploration: Exploration): Promise<Outcome> {
  const { seed, nodes, store, courses, minutes, threads, isThorough, known } = exploration;
  const failures = new Map<string, number[]>();
  const start = process.cpuUsage();
  const deadline = minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + minutes * 60_000;
  const workers: Worker[] = [];
  let count = 0;
  const stop = () => Promise.all(workers.map(worker => worker.terminate()));
  const add = ({ index, kind }: Found) => {
    failures.set(kind, [...(failures.get(kind) ?? []), index]);
    if (!isThorough) void stop();
  };
  const run = (first: number) =>
    new Promise<void>(resolve => {
      const progress = new Int32Array(new SharedArrayBuffer(8));
      const task: Task = {
        seed,
        nodes,
        store,
        first,
        step: threads,
        end: courses,
        deadline,
        isThorough,
        known,
        ofMembership: exploration.ofMembership === true,
        progress,
      };
      // A course makes much garbage, and keeps nothing of it.
      const worker = new Worker(file, { workerData: task, resourceLimits: { maxYoungGenerationSizeMb: 64 } });
      workers.push(worker);
      let last = 0;
      const watch = setInterval(() => {
        if (progress[1] !== last) last = progress[1] as number;
        else add({ index: progress[0] as number, kind: 'it does not come back' });
      }, STUCK);
      worker.on('message', add);
      worker.on('error', error => add({ index: progress[0] as number, kind: `thrown: ${error}` }));
      worker.on('exit', () => {
        clearInterval(watch);
        count += progress[1] as number;
        resolve();
      });
    });
  await Promise.all(Array.from({ length: threads }, (_, first) => run(first)));
  const { user, system } = process.cpuUsage(start);
  return { courses: count, cpu: (user + system) / 1e6, failures };
}
