import type { ProcessStats } from '@tidings/core';

/** One process of the hub, as the page shows it. */
export interface ProcessRow {
  id: string;
  /** It serves the page. */
  isOwn: boolean;
  pid: number | undefined;
  host: string | undefined;
  streams: number;
  clients: number;
  /** Events a second, between its last two reports; undefined before the second. */
  published: number | undefined;
  delivered: number | undefined;
  /** Slow consumers. */
  lagging: number;
  /** ms: the longest that its delivery has held the event loop, in the last 30 to 60 seconds. */
  hold: number;
  /** Its connection to the broker. */
  connected: boolean;
  /** ms since the broker last confirmed that it has everything. */
  brokerLag: number;
  /** ms since it was heard of. */
  silence: number;
}

interface Heard {
  readonly at: number;
  readonly process: ProcessStats;
  readonly before: ProcessStats | undefined;
}

/** ms after which a process that was not heard of has ended: it would have reported four times. */
const LONGEST_SILENCE = 20_000;
/** Processes that are shown. */
const MAX_PROCESSES = 500;

/** The processes of a hub that were heard of. */
export class ProcessList {
  readonly #heard = new Map<string, Heard>();

  hear(process: ProcessStats): void {
    const { process: before } = this.#heard.get(process.id) ?? {};
    if (before === undefined && this.#heard.size >= MAX_PROCESSES) return;
    this.#heard.set(process.id, { at: Date.now(), process, before });
  }

  clear(): void {
    this.#heard.clear();
  }

  /**
   * @param isBrokerAway this process hears of none: those that are silent may well run.
   * @returns its own process first.
   */
  rows(isBrokerAway: boolean): ProcessRow[] {
    const now = Date.now();
    for (const [id, { at }] of this.#heard) {
      if (!isBrokerAway && now - at > LONGEST_SILENCE) this.#heard.delete(id);
    }
    const rows = Array.from(this.#heard.values(), heard => describe(heard, now));
    return rows.sort((one, other) => Number(other.isOwn) - Number(one.isOwn));
  }
}

/** Another version of Tidings may leave out fields. */
function describe({ at, process, before }: Heard, now: number): ProcessRow {
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
