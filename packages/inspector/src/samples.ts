import { AsyncResource } from 'node:async_hooks';
import { createHub, type EventStream, type Hub, type HubStats, type Observer } from '@tidings/core';
import { ProcessList } from './process-list.ts';

/** The values that the page shows, once a second. */
export interface Sample {
  /** ms since 1970. */
  time: number;
  /** Per second, since the sample before. */
  published: number;
  delivered: number;
  bytes: number;
  opened: number;
  closed: number;
  /** ms: the longest time for which a delivery blocked the event loop. */
  hold: number;
  stats: HubStats;
}

/** A stream was closed or refused, received a reset, or may not follow a channel. */
export interface Incident {
  /** Increases with each incident. */
  number: number;
  time: number;
  /** `omitted`: this second had more incidents than are shown. */
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

/** Number of samples that a new page receives: two minutes. */
export const SHOWN = 120;
/** Maximum number of incidents that are published in one second. A reconnect storm has more. */
const MAX_INCIDENTS = 50;
const INTERVAL = 1_000;
/** ms for which sampling continues after the last page was closed, so that a reloaded page has earlier samples. */
const LINGER = 60_000;
/** ms after which a page has to reconnect, so that `authorize` is called again. */
const MAX_AGE = 5 * 60_000;

/**
 * Samples a hub once a second, and publishes the samples and the incidents of its streams to the pages of the
 * inspector. Samples only while a page is open, and for {@link LINGER} after that.
 */
export class Samples {
  /** The inspector's own hub, so that the pages do not show their own streams. */
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
  /** Number of incidents since the last sample. */
  #incidents = 0;
  /** The number of the last incident. */
  #number = 0;
  #isClosed = false;
  /**
   * Runs in the async context of the constructor. Otherwise the timer would keep the context of a request in memory.
   */
  readonly #inContext = AsyncResource.bind((run: () => void) => run());

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /**
   * Must be called when a page is opened.
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
      // The hub was closed while no page was open, so that `closing` was not observed.
      this.#close();
    }
    return !this.#isClosed;
  }

  /** @throws {TidingsError} `closed`: the hub is closed. */
  #begin(): void {
    this.#stops.push(this.#hub.observeProcesses(process => this.#processes.add(process)));
    this.#stops.push(this.#hub.observe(this.#observer()));
    this.#before = this.#hub.stats();
    this.#timer = setInterval(() => this.#sample(), INTERVAL);
    // The inspector must not keep the process alive.
    this.#timer.unref?.();
  }

  #sample(): void {
    const time = Date.now();
    if (this.pages.streams.size > 0) this.#watchedAt = time;
    if (time - this.#watchedAt > LINGER) {
      this.#stopSampling();
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

  #stopSampling(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const stop of this.#stops.splice(0)) stop();
    this.#processes.clear();
  }

  /** Called when the hub closes. Closes the pages, because open ones would prevent its server from closing. */
  #close(): void {
    this.#isClosed = true;
    this.#stopSampling();
    void this.pages.close({ within: 1_000, retry: [1_000, 3_000] });
  }

  #observer(): Observer {
    return {
      held: ms => {
        this.#hold = Math.max(this.#hold, ms);
      },
      closed: (stream, reason) => this.#addIncident('closed', stream, reason),
      refused: stream => this.#addIncident('refused', stream, 'refused'),
      reset: (stream, reason, channels) => this.#addIncident('reset', stream, reason, channels.slice(0, 20)),
      authorizeCalled: (stream, { outcome, channel }) => {
        if (outcome !== 'allowed') this.#addIncident('denied', stream, outcome, [channel]);
      },
      closing: () => this.#close(),
    };
  }

  #addIncident(
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
