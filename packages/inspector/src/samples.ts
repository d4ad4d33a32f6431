import { createHub, type Hub, type HubStats, type Observer } from '@tidings/core';

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

/** A stream that closed, or received a reset. */
export interface Incident {
  time: number;
  kind: 'closed' | 'reset' | 'refused';
  stream: string;
  client: string | undefined;
  reason: string;
  channels?: readonly string[];
}

/** Channels of the inspector's own hub. */
export const SAMPLES = 'samples';
export const INCIDENTS = 'incidents';

/** Samples that a page gets at first: two minutes. */
export const SHOWN = 120;
/** Incidents that are published in one second. What a reconnect storm has above that is counted only. */
const MAX_INCIDENTS = 50;
const INTERVAL = 1_000;
/** ms for which sampling goes on after the last page was closed, so that a reloaded page has its past. */
const LINGER = 60_000;

/**
 * Samples a hub once a second, and publishes the samples and what happens to its streams to the pages of the inspector.
 * Nothing runs while no page is open.
 */
export class Samples {
  /** The inspector's own hub: its streams are none of those that it shows. */
  readonly pages = createHub({ channels: () => ({ history: { events: 500, age: 5 * 60_000 } }) });
  readonly #hub: Hub;
  #timer: ReturnType<typeof setInterval> | undefined;
  #stop = () => {};
  #watchedAt = 0;
  #before: HubStats | undefined;
  #hold = 0;
  #incidents = 0;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** To be called when a page is opened. */
  watch(): void {
    this.#watchedAt = Date.now();
    if (this.#timer !== undefined) return;
    this.#stop = this.#hub.observe(this.#observer());
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
    this.#incidents = 0;
    this.pages.publish(SAMPLES, sample);
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stop();
  }

  #observer(): Observer {
    const happened = (incident: Omit<Incident, 'time'>) => {
      this.#incidents += 1;
      if (this.#incidents <= MAX_INCIDENTS) this.pages.publish(INCIDENTS, { time: Date.now(), ...incident });
    };
    return {
      held: ms => {
        this.#hold = Math.max(this.#hold, ms);
      },
      closed: ({ id, client }, reason) => happened({ kind: 'closed', stream: id, client, reason }),
      refused: ({ id, client }) => happened({ kind: 'refused', stream: id, client, reason: 'refused' }),
      reset: ({ id, client }, reason, channels) =>
        happened({ kind: 'reset', stream: id, client, reason, channels: channels.slice(0, 20) }),
    };
  }
}
