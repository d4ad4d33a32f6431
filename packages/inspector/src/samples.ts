import { AsyncResource } from 'node:async_hooks';
import { createHub, type EventStream, type Hub, type HubStats, type Observer } from '@tidings/core';
import { ProcessList } from './process-list.ts';

/** What the page draws once a second. Everything else of it is in {@link HubStats}. */
export interface Sample {
  /** ms since 1970. */
  time: number;
  /** Per second, since the sample before. */
  published: number;
  delivered: number;
  bytes: number;
  opened: number;
  closed: number;
  /** ms: the longest that the delivery held the event loop. */
  hold: number;
  stats: HubStats;
}

/** A stream that closed, received a reset, or may not follow a channel. */
export interface Incident {
  /** Ascending. */
  number: number;
  time: number;
  /** `omitted`: more happened in this second than is shown. */
  kind: 'closed' | 'reset' | 'refused' | 'denied' | 'omitted';
  /** The id of the stream, if it has one. */
  stream: string | undefined;
  client: string | undefined;
  reason: string;
  channels?: readonly string[] | undefined;
}

/** Channels of the inspector's own hub. */
export const SAMPLES = 'samples';
export const INCIDENTS = 'incidents';
export const PROCESSES = 'processes';

/** Samples that a page gets at first: two minutes. */
export const SHOWN = 120;
/** Incidents that are published in one second. A reconnect storm has more. */
const MAX_INCIDENTS = 50;
const INTERVAL = 1_000;
/** ms for which sampling goes on after the last page was closed, so that a reloaded page has its past. */
const LINGER = 60_000;
/** ms after which a page has to connect again, so that `authorize` is asked again. */
const MAX_AGE = 5 * 60_000;

/**
 * Samples a hub once a second, and publishes the samples and what happens to its streams to the pages of the inspector.
 * Nothing runs while no page is open.
 */
export class Samples {
  /** The inspector's own hub: its streams are none of those that it shows. */
  readonly pages = createHub({
    maxAge: MAX_AGE,
    channels: () => ({ history: { events: 500, age: 5 * 60_000 } }),
  });
  readonly #hub: Hub;
  #timer: ReturnType<typeof setInterval> | undefined;
  #stops: (() => void)[] = [];
  readonly #processes = new ProcessList();
  #watchedAt = 0;
  #before: HubStats | undefined;
  #hold = 0;
  #incidents = 0;
  /** Of all incidents. */
  #number = 0;
  #isClosed = false;
  /** Runs what outlives a request in the context of the constructor: a request's would live as long. */
  readonly #inContext = AsyncResource.bind((run: () => void) => run());

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /**
   * To be called when a page is opened.
   *
   * @returns whether the hub is open.
   */
  watch(): boolean {
    if (this.#isClosed) return false;
    this.#watchedAt = Date.now();
    if (this.#timer !== undefined) return true;
    try {
      this.#inContext(() => this.#begin());
    } catch {
      // Nothing observed that it was closed: no page was open.
      this.#close();
    }
    return !this.#isClosed;
  }

  /** @throws {TidingsError} `closed`: the hub is closed. */
  #begin(): void {
    this.#stops.push(this.#hub.observeProcesses(process => this.#processes.hear(process)));
    this.#stops.push(this.#hub.observe(this.#observer()));
    this.#before = this.#hub.stats();
    this.#timer = setInterval(() => this.#sample(), INTERVAL);
    // The inspector does not keep a process running.
    this.#timer.unref?.();
  }

  #sample(): void {
    const time = Date.now();
    if (this.pages.streams.size > 0) this.#watchedAt = time;
    if (time - this.#watchedAt > LINGER) {
      this.#rest();
      return;
    }
    const stats = this.#hub.stats();
    const before = this.#before ?? stats;
    const closed = (of: HubStats) => Object.values(of.closed).reduce((sum, count) => sum + count, 0);
    const sample: Sample = {
      time,
      published: stats.published - before.published,
      delivered: stats.delivered - before.delivered,
      bytes: stats.deliveredBytes - before.deliveredBytes,
      opened: stats.opened - before.opened,
      closed: closed(stats) - closed(before),
      hold: this.#hold,
      stats,
    };
    this.#before = stats;
    this.#hold = 0;
    this.pages.publish(SAMPLES, sample);
    if (this.#incidents > MAX_INCIDENTS) {
      const reason = `${this.#incidents - MAX_INCIDENTS} more`;
      this.#publish({ kind: 'omitted', stream: undefined, client: undefined, reason });
    }
    this.#incidents = 0;
    const { broker } = stats;
    if (broker !== undefined)
      this.pages.publish(PROCESSES, this.#processes.rows(!broker.connected), { event: 'processes' });
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const stop of this.#stops.splice(0)) stop();
    this.#processes.clear();
  }

  /** The hub is closing. Open pages would keep its server from closing. */
  #close(): void {
    this.#isClosed = true;
    this.#rest();
    void this.pages.close({ within: 1_000, retry: [1_000, 3_000] });
  }

  #observer(): Observer {
    return {
      held: ms => {
        this.#hold = Math.max(this.#hold, ms);
      },
      closed: (stream, reason) => this.#happened('closed', stream, reason),
      refused: stream => this.#happened('refused', stream, 'refused'),
      reset: (stream, reason, channels) => this.#happened('reset', stream, reason, channels.slice(0, 20)),
      authorizeCalled: (stream, { outcome, channel }) => {
        if (outcome !== 'allowed') this.#happened('denied', stream, outcome, [channel]);
      },
      closing: () => this.#close(),
    };
  }

  #happened(
    kind: Incident['kind'],
    stream: EventStream,
    reason: string,
    channels: readonly string[] = [],
  ): void {
    this.#incidents += 1;
    if (this.#incidents > MAX_INCIDENTS) return;
    this.#publish({ kind, stream: stream.stats().id, client: stream.client, reason, channels });
  }

  #publish(incident: Omit<Incident, 'number' | 'time'>): void {
    this.#number += 1;
    this.pages.publish(INCIDENTS, { number: this.#number, time: Date.now(), ...incident });
  }
}
