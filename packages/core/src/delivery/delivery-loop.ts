import { ITERATION_BUDGET, nextIteration } from '../base/event-loop.ts';
import type { LogListener } from '../log/listener.ts';
import type { Log, Round } from '../log/log.ts';
import type { FanOut } from './fan-out.ts';
import { RoundMeter } from './round-meter.ts';

/** How many deliveries fit in an iteration: a first guess, and bounds. */
const FIRST_STRIDE = 256;
const MIN_STRIDE = 16;
const MAX_STRIDE = 1_024;

/**
 * Delivers what is new to every stream: live, slow and resuming streams share one work list and one time budget. It
 * works in rounds. A round has the streams of the channels that have new entries; entries that arrive meanwhile reach
 * the streams that are still to come in this round, and the others in the next.
 */
export class DeliveryLoop {
  readonly meter = new RoundMeter();
  readonly #log: Log;
  readonly #fanOut: FanOut | undefined;
  #list: LogListener[] = [];
  #next = 0;
  /** The round under way. Absent: the list has only streams that were added by themselves. */
  #round: Round | undefined;
  #isScheduled = false;
  /** Deliveries that fit in an iteration. */
  #stride = FIRST_STRIDE;

  /** @param fanOut sends what one iteration delivers. Absent: each delivery writes for itself. */
  constructor(log: Log, fanOut?: FanOut) {
    this.#log = log;
    this.#fanOut = fanOut;
    log.onAdvance = () => this.schedule();
    log.channels.onAging = channel => {
      for (const listener of channel.listeners) this.add(listener);
    };
  }

  /** Delivers to one stream: it resumes, or its client has read what was written. */
  add(listener: LogListener): void {
    this.#list.push(listener);
    this.schedule();
  }

  /** Runs in the next iteration. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#runSoon();
  }

  /** Delivers until nothing is due or the budget is spent. Returns the number of deliveries. */
  #run(): number {
    const start = performance.now();
    let deliveries = 0;
    for (;;) {
      while (this.#next < this.#list.length) {
        (this.#list[this.#next++] as LogListener).catchUp();
        deliveries += 1;
        if (deliveries === this.#stride || performance.now() - start > ITERATION_BUDGET) {
          this.#runSoon();
          return deliveries;
        }
      }
      this.#endRound();
      if (!this.#log.hasNews) break;
      this.#beginRound();
    }
    this.#isScheduled = false;
    return deliveries;
  }

  /**
   * Runs in the next iteration. A server may write what it is given only after the callback (@hono/node-server does), so a
   * second callback behind it measures the whole, and adapts how many deliveries the next iteration has.
   */
  #runSoon(): void {
    let start = 0;
    let deliveries = 0;
    nextIteration(() => {
      start = performance.now();
      this.#fanOut?.begin();
      try {
        deliveries = this.#run();
      } finally {
        this.#fanOut?.flush();
      }
    });
    nextIteration(() => {
      const taken = performance.now() - start;
      this.meter.held(taken, deliveries);
      // A short run says little about how long a delivery takes.
      if (deliveries < this.#stride && taken < ITERATION_BUDGET) return;
      const fit = Math.floor((deliveries * ITERATION_BUDGET) / taken);
      this.#stride = Math.max(MIN_STRIDE, Math.min(fit, MAX_STRIDE));
    });
  }

  #beginRound(): void {
    this.meter.begin();
    this.#round = this.#log.takeRound();
    const { channels } = this.#round;
    const [first] = channels;
    let listeners: ReadonlySet<LogListener> = first?.listeners ?? new Set();
    // One delivery brings a stream the entries of all its channels.
    if (channels.size > 1) listeners = new Set([...channels].flatMap(channel => [...channel.listeners]));
    this.#list = this.#list.concat([...listeners]);
  }

  #endRound(): void {
    if (this.#round !== undefined) this.meter.end(this.#list.length);
    this.#list = [];
    this.#next = 0;
    if (this.#round !== undefined) this.#log.endRound(this.#round);
    // What was read for waiting streams could not be evicted before. Most of them have received it now.
    else this.#log.channels.evict();
    // After the round: what it has trimmed has no joined writes left, so that live streams need no timer for them.
    this.#log.channels.clearPiecesSoon();
    this.#round = undefined;
  }
}
