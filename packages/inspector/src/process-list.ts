import type { ProcessStats } from '@tidings/core';

/** One process of the hub, as the page shows it. */
export interface ProcessRow {
  id: string;
  /** Whether this process serves the page. */
  isOwn: boolean;
  pid: number | undefined;
  host: string | undefined;
  streams: number;
  clients: number;
  /** Events per second, between its last two reports. Undefined before the second report. */
  published: number | undefined;
  delivered: number | undefined;
  /** Slow consumers. */
  lagging: number;
  /** ms: the longest time for which a delivery has blocked the event loop, in the last 30 to 60 seconds. */
  hold: number;
  /** Whether the process is connected to the broker. */
  connected: boolean;
  /** ms since the broker last confirmed that the process has received every event. */
  brokerLag: number;
  /** ms since the last report. */
  silence: number;
}

/** The last two reports of a process. */
interface Reports {
  /** When the last one was received, in ms since 1970. */
  readonly at: number;
  readonly process: ProcessStats;
  readonly before: ProcessStats | undefined;
}

/** ms without a report after which a process has ended. It would have sent four reports. */
const MAX_SILENCE = 20_000;
/** Maximum number of processes that are shown. */
const MAX_PROCESSES = 500;

/** The processes of a hub that have sent reports. */
export class ProcessList {
  readonly #reports = new Map<string, Reports>();

  add(process: ProcessStats): void {
    const { process: before } = this.#reports.get(process.id) ?? {};
    if (before === undefined && this.#reports.size >= MAX_PROCESSES) return;
    this.#reports.set(process.id, { at: Date.now(), process, before });
  }

  clear(): void {
    this.#reports.clear();
  }

  /**
   * @param isDisconnected this process is not connected to the broker and receives no reports. Other processes may
   *   still run, so none is removed.
   * @returns the rows, that of this process first.
   */
  rows(isDisconnected: boolean): ProcessRow[] {
    const now = Date.now();
    for (const [id, { at }] of this.#reports) {
      if (!isDisconnected && now - at > MAX_SILENCE) this.#reports.delete(id);
    }
    const rows = Array.from(this.#reports.values(), reports => describe(reports, now));
    return rows.sort((one, other) => Number(other.isOwn) - Number(one.isOwn));
  }
}

/** Fields may be missing, because the process may run another version of Tidings. */
function describe({ at, process, before }: Reports, now: number): ProcessRow {
  const { id, isOwn, pid, host } = process;
  const stats: Partial<ProcessStats['stats']> = process.stats;
  const { streams = 0, clients = 0, lagging = 0, delivery, broker } = stats;
  return {
    id,
    isOwn,
    pid,
    host,
    streams,
    clients,
    published: rateOf(process, before, 'published'),
    delivered: rateOf(process, before, 'delivered'),
    lagging,
    hold: delivery?.longestHold ?? 0,
    connected: broker?.connected === true,
    brokerLag: broker?.lag ?? 0,
    silence: now - at,
  };
}

function rateOf(
  { at, stats }: ProcessStats,
  before: ProcessStats | undefined,
  name: 'published' | 'delivered',
): number | undefined {
  if (before === undefined || at <= before.at) return undefined;
  return (((stats[name] ?? 0) - (before.stats[name] ?? 0)) * 1_000) / (at - before.at);
}
