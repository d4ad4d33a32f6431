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

/** The state of the connection to a broker, from its reports and from the results of its calls. */
export class BrokerHealth {
  /** Why the broker cannot be used. Undefined: no problem is known. */
  cause: unknown;
  #isConnected = false;
  #since = Date.now();
  /** ms, monotonic. */
  #confirmedAt = performance.now();
  /** The message of the last reported error, if it is a TidingsError. */
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

  /** Called when entries of open channels have arrived. */
  arrived(entries: readonly Entry[]): void {
    this.confirm();
    this.#arrival.arrived(entries);
  }

  /** Called when an event of this process was stored. @param calledAt when the call began (ms, monotonic). */
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

  /** Called when the broker confirms that this process has received all stored entries. */
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

  /** Whether an error differs from the last one. The same TidingsError is reported once, not at every retry. */
  isNewError(error: unknown): boolean {
    const isSame = error instanceof TidingsError && error.message === this.#reported;
    this.#reported = error instanceof TidingsError ? error.message : undefined;
    return !isSame;
  }
}
