import { readFileSync } from 'node:fs';
import os from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** What does not change while the process lives. */
export interface Machine {
  hostname: string;
  platform: string;
  processor?: string | undefined;
}

/** One reading. What this platform does not tell is absent. */
export interface Sample {
  /** Ms since 1970. */
  at: number;
  /** Seconds since the machine was started. */
  uptime: number;
  /** Percent of the time since the last sample that each core was busy. */
  cores: number[];
  /** Processes that ran or waited to, on average over 1, 5 and 15 minutes. */
  load?: number[] | undefined;
  /** Bytes. */
  memory: { used: number; total: number };
  /** Ms that timers of this process were late since the last sample. */
  eventLoop: { p50: number; p99: number; max: number };
  /** Bytes per second. */
  network?: { received: number; sent: number } | undefined;
  /** Bytes per second. */
  disk?: { read: number; written: number } | undefined;
}

export function describeMachine(): Machine {
  return {
    hostname: os.hostname(),
    platform: `${os.type()} ${os.release()}, ${os.arch()}, Node ${process.versions.node}`,
    processor: os.cpus()[0]?.model.trim(),
  };
}

/** Returns a function that takes a sample of the time since it was last called. */
export function createSampler(): () => Sample {
  const eventLoop = monitorEventLoopDelay({ resolution: TIMER });
  eventLoop.enable();
  let before = readCounters();
  return () => {
    const now = readCounters();
    const perSecond = (name: 'network' | 'disk') =>
      rates(before[name], now[name], (now.at - before.at) / 1000);
    const [received, sent] = perSecond('network') ?? [];
    const [read, written] = perSecond('disk') ?? [];
    const sample: Sample = {
      at: Date.now(),
      uptime: Math.floor(os.uptime()),
      cores: now.cores.map((times, core) => busyPercent(before.cores[core], times)),
      // Windows has no load average, and Node reports zeros.
      load: process.platform === 'win32' ? undefined : os.loadavg(),
      memory: { used: os.totalmem() - os.freemem(), total: os.totalmem() },
      eventLoop: {
        p50: lateness(eventLoop.percentile(50)),
        p99: lateness(eventLoop.percentile(99)),
        max: lateness(eventLoop.max),
      },
      network: received === undefined || sent === undefined ? undefined : { received, sent },
      disk: read === undefined || written === undefined ? undefined : { read, written },
    };
    eventLoop.reset();
    before = now;
    return sample;
  };
}

/** Ms between the timers by which the event loop is measured. */
const TIMER = 10;

// Hardware only: what passes a bridge, a tunnel, a partition or a RAID is counted again at the device below it.
const NETWORK_DEVICE = /^(eth|en|wl|ww|ib|usb)[^.]*$/;
const DISK_DEVICE = /^([shv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)$/;
/** /proc/diskstats counts in these, whatever the disk's own sectors are. */
const SECTOR = 512;

/** All that only grows; a sample is the difference of two. */
function readCounters() {
  return {
    at: performance.now(),
    cores: os.cpus().map(cpu => cpu.times),
    network: sumColumns('/proc/net/dev', { name: 0, matching: NETWORK_DEVICE, columns: [1, 9] }),
    disk: sumColumns('/proc/diskstats', { name: 2, matching: DISK_DEVICE, columns: [5, 9] })?.map(
      sectors => sectors * SECTOR,
    ),
  };
}

/** Adds up columns over the rows whose name matches. Undefined: there is no such row. */
function sumColumns(file: string, rows: { name: number; matching: RegExp; columns: number[] }) {
  const found = readProc(file)
    .split('\n')
    .map(line => line.trim().split(/[\s:]+/))
    .filter(row => rows.matching.test(row[rows.name] ?? ''));
  if (found.length === 0) return undefined;
  return rows.columns.map(column => found.reduce((sum, row) => sum + Number(row[column]), 0));
}

function readProc(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // There is no /proc but on Linux, and some sandboxes hide parts of it.
  }
}

function rates(before: number[] | undefined, now: number[] | undefined, seconds: number) {
  if (before === undefined || now === undefined) return undefined;
  const perSecond = now.map((count, index) => Math.round((count - (before[index] ?? count)) / seconds));
  // A device that was unplugged takes its count with it.
  return perSecond.some(rate => rate < 0) ? undefined : perSecond;
}

function busyPercent(before: os.CpuInfo['times'] | undefined, now: os.CpuInfo['times']): number {
  const idle = now.idle - (before?.idle ?? 0);
  const total = sum(now) - (before === undefined ? 0 : sum(before));
  return total > 0 ? round(100 * (1 - idle / total)) : 0;
}

function sum(times: os.CpuInfo['times']): number {
  return times.user + times.nice + times.sys + times.idle + times.irq;
}

/** The histogram has the ns from one timer to the next; what exceeds the interval is delay. */
function lateness(nanoseconds: number): number {
  return Math.max(0, round(nanoseconds / 1e6 - TIMER));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
