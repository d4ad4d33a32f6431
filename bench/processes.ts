import { readdirSync, readFileSync } from 'node:fs';

/** CPU time, in µs. */
export interface Cpu {
  total: number;
  /** Of that, outside of the kernel. */
  user: number;
}

/** The processes that a process has started. */
export function childrenOf(pid: number): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter(other => Number(statOf(other)?.[1]) === pid);
}

/** The fields of /proc/<pid>/stat from the third on; undefined when there is no such process any more. */
function statOf(pid: number): string[] | undefined {
  try {
    // The second is the name of the program, with anything in it.
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    return undefined;
  }
}

/** Ticks that the kernel counts in a second, for /proc. */
const TICKS = 100;

/** The CPU time of all threads of a process, in nanoseconds by the scheduler. The user time is exact to one tick only. */
export function cpuOf(pid: number): Cpu {
  let total = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    total += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1000;
  }
  return { total, user: (Number(statOf(pid)?.[11]) * 1e6) / TICKS };
}

/** The resident memory of a process, in bytes. */
export function rssOf(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}
