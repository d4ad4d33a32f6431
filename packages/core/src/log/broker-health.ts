import { TidingsError } from '../base/errors.ts';

/** The connection of a hub to its broker. */
export interface BrokerStats {
  /** Whether the broker has begun, and its connection is up. */
  connected: boolean;
  /** When `connected` changed last: ms since 1970. */
  since: number;
  /** ms since the broker last confirmed that this process has everything. A probe does so every few seconds. */
  lag: number;
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

  get stats(): BrokerStats {
    const lag = Math.round(performance.now() - this.#confirmedAt);
    return { connected: this.#isConnected, since: this.#since, lag };
  }

  connection(isConnected: boolean, cause: unknown): void {
    this.cause = isConnected ? undefined : cause;
    if (isConnected === this.#isConnected) return;
    this.#isConnected = isConnected;
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
