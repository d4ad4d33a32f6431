import { setTimeout as delay } from 'node:timers/promises';
import { TidingsError } from '@tidings/core';
import { type Connection, ConnectionLost } from './connection.ts';
import type { Dialer } from './dialer.ts';

interface Waiter {
  resolve(connection: Connection): void;
  reject(error: unknown): void;
}

export interface LinkEvents {
  message(name: string, text: string): void;
  /** Makes a new connection fit for use; when it rejects, the next is made. */
  prepare(connection: Connection): Promise<void>;
  /** The connection is gone. Called at once. */
  down(): void;
}

/** Ms before a connection is made anew; doubled each time that fails. */
const FIRST_DELAY = 20;
const LONGEST_DELAY = 2_000;

/** A connection that is made anew whenever it is gone. */
export class Link {
  readonly #dialer: Dialer;
  readonly #events: LinkEvents;
  readonly #waiters = new Set<Waiter>();
  readonly #closing = new AbortController();
  #connection: Connection | undefined;
  /** Also while it is being prepared. */
  #newest: Connection | undefined;
  #isRunning = false;
  /** Why there is none. */
  #failure: unknown;

  constructor(dialer: Dialer, events: LinkEvents) {
    this.#dialer = dialer;
    this.#events = events;
  }

  /** The connection, if it can be used now. */
  get current(): Connection | undefined {
    return this.#connection;
  }

  /** Why there is no connection. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Waits for the connection. Rejects when the signal is aborted, with why there is none. */
  ready(signal: AbortSignal): Promise<Connection> {
    if (this.#closing.signal.aborted)
      return Promise.reject(new TidingsError('closed', 'the broker is closed'));
    if (this.#connection !== undefined) return Promise.resolve(this.#connection);
    if (!this.#isRunning) void this.#run();
    return new Promise((resolve, reject) => {
      const lost = () => new ConnectionLost('no connection to Redis', { cause: this.#failure });
      if (signal.aborted) return reject(lost());
      const settle = () => {
        signal.removeEventListener('abort', onAbort);
        this.#waiters.delete(waiter);
      };
      const onAbort = () => {
        settle();
        reject(lost());
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

  /** Cuts the connection, and has the next one made. */
  drop(cause: unknown): void {
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
        let onGone = () => {};
        const gone = new Promise<void>(resolve => {
          onGone = resolve;
        });
        const events = {
          message: (name: string, text: string) => this.#events.message(name, text),
          closed: (cause: unknown) => {
            this.#failure = cause;
            this.#connection = undefined;
            onGone();
            this.#events.down();
          },
        };
        const connection = await this.#dialer.open(events, signal);
        this.#newest = connection;
        if (signal.aborted) connection.close(signal.reason);
        try {
          await this.#events.prepare(connection);
        } catch (error) {
          this.#dialer.redirect(error);
          connection.close(error);
          throw error;
        }
        if (!connection.isClosed) {
          wait = FIRST_DELAY / 2;
          this.#connection = connection;
          this.#failure = undefined;
          for (const waiter of [...this.#waiters]) waiter.resolve(connection);
        }
        await gone;
      } catch (error) {
        this.#failure = error;
        // What is wrong does not mend itself.
        if (error instanceof TidingsError) for (const waiter of [...this.#waiters]) waiter.reject(error);
      }
      // Not all nodes at the same moment.
      await delay(wait * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
    }
  }
}
