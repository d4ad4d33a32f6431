import { TidingsError } from '../../base/errors.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { Entry } from '../entry.ts';
import { Arrival } from './arrival.ts';

/** The connection of a hub to its broker. */
export interface ConnectionStats {
  /** Gauge: whether the broker is connected. */
  connected: boolean;
  /** Gauge: time of the last change of `connected`, in ms since 1970. */
  since: number;
  /**
   * Gauge: time in ms since the broker last confirmed that this process has received every event. A probe does so every
   * few seconds.
   */
  lag: number;
  /**
   * Gauge: time in ms between storing an event and its arrival in this process; the latest measurement. Measured with
   * events that this process publishes to channels for which it has subscribers. Undefined: not measured yet.
   */
  arrival: number | undefined;
  /** Counter: reconnects. */
  reconnects: number;
}

/** What is known of the connection to a broker, from what it reports and from the calls that fail. */
export class BrokerHealth {
  /** Why the broker cannot be used; undefined while it can, as far as is known. */
  cause: unknown;
  #isConnected = false;
  #since = Date.now();
  /** ms, monotonic. */
  #confirmedAt = performance.now();
  /** The message of the error that was reported last. */
  #reported: string | undefined;
  #connections = 0;
  readonly #arrival = new Arrival();

  get stats(): ConnectionStats {
    return {
      connected: this.#isConnected,
      since: this.#since,
      lag: Math.round(performance.now() - this.#confirmedAt),
      arrival: this.#arrival.ms,
      reconnects: Math.max(0, this.#connections - 1),
    };
  }

  /** Entries of open channels have arrived. */
  arrived(entries: readonly Entry[]): void {
    this.confirm();
    this.#arrival.arrived(entries);
  }

  /** An event of this process has this position, since a call that began at a time (ms, monotonic). */
  stored(position: Position, calledAt: number): void {
    this.#arrival.stored(position, calledAt);
  }

  connection(isConnected: boolean, cause: unknown): void {
    this.cause = isConnected ? undefined : cause;
    if (isConnected === this.#isConnected) return;
    this.#isConnected = isConnected;
    if (isConnected) this.#connections += 1;
    this.#since = Date.now();
  }

  /** This process has received everything that is stored. */
  confirm(): void {
    this.#confirmedAt = performance.now();
  }

  failed(error: unknown): void {
    this.cause = error;
  }

  succeeded(): void {
    this.cause = undefined;
    this.#reported = undefined;
  }

  /** Whether an error is to be reported: a broker that states its cause would do so once a second. */
  isNews(error: unknown): boolean {
    const isSame = error instanceof TidingsError && error.message === this.#reported;
    this.#reported = error instanceof TidingsError ? error.message : undefined;
    return !isSame;
  }
}
