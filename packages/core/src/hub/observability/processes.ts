import { bindContext } from '../../base/async-context.ts';
import { isObject } from '../../base/option-checks.ts';
import type { Scheduler, Timed } from '../../base/scheduler.ts';
import type { PublishQueue } from '../../log/broker/publish-queue.ts';
import type { ControlChannel } from '../access/control-channel.ts';
import { PROCESSES_CHANNEL, processDraft } from '../control.ts';
import type { Listeners } from '../listening/listeners.ts';
import type { HubStats } from './hub-stats.ts';

/** One process of a hub. */
export interface ProcessStats {
  /** Random: identifies the hub in this process. */
  id: string;
  /** Whether it is the process of this hub. */
  isOwn: boolean;
  /** The process id, if the runtime has one. */
  pid: number | undefined;
  /** The environment variable `HOSTNAME`, as containers set it. Not read on Deno, which would ask for permission. */
  host: string | undefined;
  /** When the stats were read: ms since 1970, by the clock of that process. */
  at: number;
  /** The stats of that process. If it runs another version of Tidings, fields may be missing. */
  stats: HubStats;
}

type Listener = (process: ProcessStats) => void;

/** What {@link Processes} needs of its hub. */
export interface ProcessesOptions {
  readonly scheduler: Scheduler;
  readonly messages: ControlChannel;
  /** Absent: this process is the only one. */
  readonly queue: PublishQueue | undefined;
  readonly listeners: Listeners;
  readonly readStats: () => HubStats;
  readonly onError: (error: unknown) => void;
}

/** ms between two requests for stats, by this process or another. */
const INTERVAL = 5_000;

/**
 * Observes the stats of all processes. A process that observes them asks with a control message. The other processes
 * publish their stats to a separate channel, which only observing processes open: the control channel retains a limited
 * number of messages.
 */
export class Processes {
  readonly #options: ProcessesOptions;
  /** When this or another process last asked (ms, monotonic). */
  #askedAt = Number.NEGATIVE_INFINITY;
  #isAnswering = false;
  /** Ends each observation. */
  readonly #stops = new Set<() => void>();

  constructor(options: ProcessesOptions) {
    this.#options = options;
  }

  observe(listener: Listener): () => void {
    const { scheduler, queue, listeners } = this.#options;
    const bound = bindContext(listener);
    const others =
      queue &&
      listeners.add([PROCESSES_CHANNEL], ({ data }) => {
        if (isProcess(data) && data.id !== this.#options.messages.sender) bound({ ...data, isOwn: false });
      });
    const tick = (now: number, isFirst = false) => {
      this.#report(bound);
      if (queue !== undefined && (isFirst || now - this.#askedAt > INTERVAL - 2 * scheduler.resolution))
        this.#ask();
      return now + INTERVAL;
    };
    const timed: Timed = { slot: undefined, run: now => tick(now) };
    const stop = () => {
      scheduler.delete(timed);
      others?.close();
      this.#stops.delete(stop);
    };
    this.#stops.add(stop);
    scheduler.add(timed, tick(scheduler.now, true));
    return stop;
  }

  /** Called when a process has asked for the stats of all processes. */
  asked(isOwn: boolean): void {
    this.#askedAt = performance.now();
    // All observing processes receive the answer that is being published.
    if (isOwn || this.#isAnswering) return;
    void this.#answer();
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  #report(listener: Listener): void {
    try {
      listener({ ...this.#describe(), isOwn: true });
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #ask(): void {
    this.#askedAt = performance.now();
    // A request that is not stored is sent again after the interval.
    void this.#options.messages.send({ type: 'describe' });
  }

  async #answer(): Promise<void> {
    this.#isAnswering = true;
    try {
      await this.#options.queue?.publish(processDraft(this.#describe()));
    } catch {
      // The broker is unreachable. The next request will be answered.
    } finally {
      this.#isAnswering = false;
    }
  }

  #describe(): Omit<ProcessStats, 'isOwn'> {
    const { messages, readStats } = this.#options;
    return { id: messages.sender, ...identify(), at: Date.now(), stats: readStats() };
  }
}

function identify(): Pick<ProcessStats, 'pid' | 'host'> {
  const { process, Deno } = globalThis as { process?: Partial<NodeJS.Process>; Deno?: unknown };
  return { pid: process?.pid, host: Deno === undefined ? process?.env?.HOSTNAME : undefined };
}

function isProcess(data: unknown): data is ProcessStats {
  const { id, stats } = (isObject(data) ? data : {}) as Record<string, unknown>;
  return typeof id === 'string' && isObject(stats);
}
