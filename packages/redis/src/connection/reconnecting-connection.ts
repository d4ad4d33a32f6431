import { setTimeout as delay } from 'node:timers/promises';
import { TidingsError } from '@tidings/core';
import { ConnectionLost, findSetting } from '../errors.ts';
import type { Connection } from './connection.ts';
import type { Dialer } from './dialer.ts';

export interface ReconnectingOptions {
  onMessage(name: string, text: string): void;
  /** Prepares a new connection for use. If it rejects, the connection is closed, and the next one is opened. */
  prepare(connection: Connection): Promise<void>;
  onReady(): void;
  /** The connection was lost. Called synchronously, also for a connection that was not prepared yet. */
  onLost(cause: unknown): void;
  /** An attempt to connect has failed. */
  onFailed(cause: unknown): void;
  /** No connection is possible until the configuration is changed. Called at each attempt. */
  onMisconfigured(error: TidingsError): void;
}

interface Waiter {
  resolve(connection: Connection): void;
  reject(error: unknown): void;
}

/** ms to wait before the next attempt to connect; doubled after each failure. */
const FIRST_DELAY = 20;
const LONGEST_DELAY = 2_000;

/**
 * A connection that is opened again each time it is lost.
 *
 *     idle ──ready()──▶ connecting ──▶ preparing ──▶ ready
 *                        ▲     │           │           │
 *                        │     └───────────┴───────────┤ failed, or lost
 *                        └──── waiting (20 ms … 2 s) ◀─┘
 *     close() ──▶ closed, from every state
 *
 * `ready()` resolves in the state `ready`, and waits in every other state until its signal is aborted. A failure that
 * needs a change by the user (a TidingsError) also rejects the waiting calls. The next attempt is made in any case.
 */
export class ReconnectingConnection {
  readonly #dialer: Dialer;
  readonly #options: ReconnectingOptions;
  readonly #waiters = new Set<Waiter>();
  readonly #closing = new AbortController();
  /** Set in the state `ready`. */
  #current: Connection | undefined;
  /** Set in the states `preparing` and `ready`. */
  #newest: Connection | undefined;
  #isRunning = false;
  /** The last attempt ended with a redirection to another server. */
  #isRedirected = false;
  /** Why the last attempt failed or the connection was lost. */
  #failure: unknown;

  constructor(dialer: Dialer, options: ReconnectingOptions) {
    this.#dialer = dialer;
    this.#options = options;
  }

  /** The connection, in the state `ready`. */
  get current(): Connection | undefined {
    return this.#current;
  }

  /** Waits for the connection. When the signal is aborted, it rejects with the last failure as the cause. */
  ready(signal: AbortSignal): Promise<Connection> {
    if (this.#closing.signal.aborted)
      return Promise.reject(new TidingsError('closed', 'the broker is closed'));
    if (this.#current !== undefined) return Promise.resolve(this.#current);
    if (!this.#isRunning) void this.#run();
    return new Promise((resolve, reject) => {
      const expired = () =>
        this.#failure instanceof TidingsError
          ? this.#failure
          : new ConnectionLost('no connection to Redis', { cause: this.#failure });
      if (signal.aborted) return reject(expired());
      const settle = () => {
        signal.removeEventListener('abort', onAbort);
        this.#waiters.delete(waiter);
      };
      const onAbort = () => {
        settle();
        reject(expired());
      };
      const waiter = {
        resolve: (connection: Connection) => {
          settle();
          resolve(connection);
        },
        reject: (error: unknown) => {
          settle();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', onAbort);
    });
  }

  /** Aborts the connection, and opens the next one. */
  reconnect(cause: unknown): void {
    this.#newest?.close(cause);
  }

  close(): void {
    const closed = new TidingsError('closed', 'the broker is closed');
    this.#closing.abort(closed);
    this.#newest?.close(closed);
    for (const waiter of [...this.#waiters]) waiter.reject(closed);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    const { signal } = this.#closing;
    for (let wait = FIRST_DELAY; !signal.aborted; wait = Math.min(wait * 2, LONGEST_DELAY)) {
      try {
        let onClosed = () => {};
        const closed = new Promise<void>(resolve => {
          onClosed = resolve;
        });
        const connection = await this.#connect(onClosed);
        if (!connection.isClosed) {
          wait = FIRST_DELAY / 2;
          this.#current = connection;
          this.#failure = undefined;
          this.#options.onReady();
          for (const waiter of [...this.#waiters]) waiter.resolve(connection);
        }
        await closed;
      } catch (error) {
        const setting = findSetting(error);
        this.#failure = setting ?? error;
        this.#options.onFailed(this.#failure);
        if (setting !== undefined) {
          // Retrying does not help.
          for (const waiter of [...this.#waiters]) waiter.reject(setting);
          this.#options.onMisconfigured(setting);
        }
      }
      // The first redirection is not a failure, so the next attempt is immediate. Repeated redirections wait.
      const isRedirected = this.#isRedirected && wait === FIRST_DELAY;
      this.#isRedirected = false;
      if (isRedirected) continue;
      // Random, so that not all processes connect at the same time.
      await delay(wait * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
    }
  }

  /** Connects and prepares. Rejects if either fails. */
  async #connect(onClosed: () => void): Promise<Connection> {
    const events = {
      message: (name: string, text: string) => this.#options.onMessage(name, text),
      closed: (cause: unknown) => {
        this.#failure = cause;
        this.#current = undefined;
        onClosed();
        this.#options.onLost(cause);
      },
    };
    const { signal } = this.#closing;
    const connection = await this.#dialer.open(events, signal);
    this.#newest = connection;
    if (signal.aborted) connection.close(signal.reason);
    try {
      await this.#options.prepare(connection);
    } catch (error) {
      this.#isRedirected = this.#dialer.redirect(error);
      connection.close(error);
      throw error;
    }
    return connection;
  }
}
