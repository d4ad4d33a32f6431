import { TidingsError } from '@tidings/core';

/** Where a server of a cluster is. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** One connection of a client, for as long as it lasts: it does not come back by itself. */
export interface Wire {
  call(args: readonly string[]): Promise<unknown>;
  /** Resolves when the server has acknowledged all. */
  subscribe(names: readonly string[], sharded: boolean): Promise<unknown>;
  unsubscribe(names: readonly string[], sharded: boolean): Promise<unknown>;
  cut(): void;
}

export interface WireEvents {
  message(name: string, text: string): void;
  /** Called at least once when the connection is gone. */
  closed(cause: unknown): void;
}

/** How long a connection may be waited for. */
export interface Patience {
  /** Ms. */
  readonly timeout: number;
  /** Aborted when nobody wants it any more. */
  readonly signal: AbortSignal;
}

/** Makes a connection: to where a client's own lead, or to an address. */
export type Dial = (events: WireEvents, patience: Patience, address?: Address) => Promise<Wire>;

/** The connection is gone: what was asked for may have been done, or not. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/** Whether an error is an answer of the server: a word in capitals, then a sentence. */
export function isAnswer(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof TidingsError) && /^[A-Z][A-Z0-9]+ /.test(error.message);
}

/** Where an answer says that the keys are. */
export function movedTo(error: unknown): Address | undefined {
  const match = isAnswer(error) ? /^MOVED \d+ (.*):(\d+)$/.exec(error.message) : null;
  return match === null ? undefined : { host: match[1] as string, port: Number(match[2]) };
}

interface Call {
  /** Ms, monotonic. */
  readonly deadline: number;
  lose(cause: unknown): void;
}

/**
 * A wire on which every call ends: with an answer, or with a ConnectionLost. One that gets no answer in time takes
 * the connection with it, because the answers behind it would not come either.
 */
export class Connection {
  readonly #wire: Wire;
  readonly #timeout: number;
  readonly #onClose: (cause: unknown) => void;
  /** Those without an answer, oldest first. */
  readonly #calls = new Set<Call>();
  /** One for all calls: most are answered long before it is due. */
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(wire: Wire, timeout: number, onClose: (cause: unknown) => void) {
    this.#wire = wire;
    this.#timeout = timeout;
    this.#onClose = onClose;
  }

  /**
   * @param patience its `timeout` is also that of each call.
   * @param events `closed` is called once, at once.
   */
  static async open(
    dial: Dial,
    patience: Patience,
    events: WireEvents,
    address?: Address,
  ): Promise<Connection> {
    let connection: Connection | undefined;
    let failure: unknown;
    const wire = await dial(
      {
        message: (name, text) => {
          if (connection?.isClosed === false) events.message(name, text);
        },
        closed: cause => {
          failure = cause ?? new Error('closed');
          connection?.close(cause);
        },
      },
      patience,
      address,
    );
    if (failure !== undefined) {
      wire.cut();
      throw new ConnectionLost('the connection to Redis is gone', { cause: failure });
    }
    connection = new Connection(wire, patience.timeout, events.closed);
    return connection;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  call(args: readonly string[]): Promise<unknown> {
    return this.#settle(() => this.#wire.call(args));
  }

  async subscribe(names: readonly string[], sharded: boolean): Promise<void> {
    if (names.length > 0) await this.#settle(() => this.#wire.subscribe(names, sharded));
  }

  async unsubscribe(names: readonly string[], sharded: boolean): Promise<void> {
    if (names.length > 0) await this.#settle(() => this.#wire.unsubscribe(names, sharded));
  }

  /** Cuts it. */
  close(cause: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#wire.cut();
    for (const { lose } of this.#calls) lose(cause);
    this.#calls.clear();
    this.#onClose(cause);
  }

  #settle<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const lose = (cause: unknown) =>
        reject(new ConnectionLost('the connection to Redis is gone', { cause }));
      if (this.#isClosed) return lose(undefined);
      const call = { deadline: performance.now() + this.#timeout, lose };
      this.#calls.add(call);
      if (this.#timer === undefined) this.#watch(this.#timeout);
      run().then(
        answer => {
          this.#calls.delete(call);
          resolve(answer);
        },
        error => {
          if (isAnswer(error)) {
            this.#calls.delete(call);
            reject(error);
          } else {
            // Whatever it was, answers can no longer be told apart.
            this.close(error);
            lose(error);
          }
        },
      );
    });
  }

  /** Looks after so many ms whether the oldest call is late. */
  #watch(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const [oldest] = this.#calls;
      if (oldest === undefined) return;
      // A timer may be early by part of a millisecond.
      const left = Math.ceil(oldest.deadline - performance.now());
      if (left > 0) this.#watch(left);
      else this.close(new Error(`Redis has not answered for ${this.#timeout} ms`));
    }, ms);
  }
}

/** Waits for a connection to be made; one that takes longer, or that nobody wants any more, is cut. */
export async function within(
  { timeout, signal }: Patience,
  connected: Promise<unknown>,
  cut: () => void,
): Promise<void> {
  let stop = () => {};
  const over = new Promise((_, reject) => {
    const late = () => reject(new ConnectionLost(`no connection to Redis within ${timeout} ms`));
    const timer = setTimeout(late, timeout);
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
    stop = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
  });
  try {
    await Promise.race([connected, over]);
  } catch (error) {
    cut();
    throw error;
  } finally {
    stop();
  }
}
