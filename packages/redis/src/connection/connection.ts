import { ConnectionLost, isErrorReply } from '../errors.ts';
import type { Address, Connect, ConnectionEvents, ConnectLimits, LibraryConnection } from './library.ts';

interface PendingCall {
  /** When the call times out (ms, monotonic). */
  readonly deadline: number;
  lose(cause: unknown): void;
}

/**
 * A connection on which every call settles: with a reply, or with a ConnectionLost. A call that times out closes the
 * connection, because the replies to later calls would not arrive either.
 */
export class Connection {
  readonly #library: LibraryConnection;
  readonly #timeout: number;
  readonly #onClose: (cause: unknown) => void;
  /** Oldest first. */
  readonly #pending = new Set<PendingCall>();
  /** One timer for all calls, because most receive their reply long before they time out. */
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(library: LibraryConnection, timeout: number, onClose: (cause: unknown) => void) {
    this.#library = library;
    this.#timeout = timeout;
    this.#onClose = onClose;
  }

  /**
   * @param limits `timeout` also applies to each call.
   * @param events `closed` is called once, in the same tick in which the connection closes.
   */
  static async open(
    connect: Connect,
    limits: ConnectLimits,
    events: ConnectionEvents,
    address?: Address,
  ): Promise<Connection> {
    let connection: Connection | undefined;
    let failure: unknown;
    const library = await connect(
      {
        message: (name, text) => {
          if (connection?.isClosed === false) events.message(name, text);
        },
        closed: cause => {
          failure = cause ?? new Error('the connection was closed');
          connection?.close(failure);
        },
      },
      limits,
      address,
    );
    if (failure !== undefined) {
      library.abort();
      throw new ConnectionLost('the connection to Redis was lost', { cause: failure });
    }
    connection = new Connection(library, limits.timeout, events.closed);
    return connection;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  call(args: readonly string[]): Promise<unknown> {
    return this.#settle(() => this.#library.call(args));
  }

  async subscribe(names: readonly string[], sharded: boolean): Promise<void> {
    if (names.length > 0) await this.#settle(() => this.#library.subscribe(names, sharded));
  }

  async unsubscribe(names: readonly string[], sharded: boolean): Promise<void> {
    if (names.length > 0) await this.#settle(() => this.#library.unsubscribe(names, sharded));
  }

  /** Aborts the connection. Pending calls reject with a ConnectionLost. Idempotent. */
  close(cause: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#library.abort();
    for (const { lose } of this.#pending) lose(cause);
    this.#pending.clear();
    this.#onClose(cause);
  }

  #settle<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const lose = (cause: unknown) =>
        reject(new ConnectionLost('the connection to Redis was lost', { cause }));
      if (this.#isClosed) return lose(undefined);
      const call = { deadline: performance.now() + this.#timeout, lose };
      this.#pending.add(call);
      if (this.#timer === undefined) this.#watch(this.#timeout);
      run().then(
        reply => {
          this.#pending.delete(call);
          resolve(reply);
        },
        error => {
          if (isErrorReply(error)) {
            this.#pending.delete(call);
            reject(error);
          } else {
            // After an error of the client library, replies may no longer match their calls.
            this.close(error);
            lose(error);
          }
        },
      );
    });
  }

  /** Checks after `ms` whether the oldest call has timed out. */
  #watch(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const [oldest] = this.#pending;
      if (oldest === undefined) return;
      // A timer may run up to one millisecond early.
      const left = Math.ceil(oldest.deadline - performance.now());
      if (left > 0) this.#watch(left);
      else this.close(new Error(`Redis has not replied for ${this.#timeout} ms`));
    }, ms);
  }
}
