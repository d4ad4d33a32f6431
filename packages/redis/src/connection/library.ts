import { ConnectionLost, isErrorReply } from '../errors.ts';

/** The address of a server of a cluster. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The address to which a `MOVED` reply redirects. Undefined for any other error. */
export function movedTo(error: unknown): Address | undefined {
  const match = isErrorReply(error) ? /^MOVED \d+ (.*):(\d+)$/.exec(error.message) : null;
  return match === null ? undefined : { host: match[1] as string, port: Number(match[2]) };
}

/**
 * One connection of a client library. It never reconnects. This interface hides the differences between the client
 * libraries.
 */
export interface LibraryConnection {
  call(args: readonly string[]): Promise<unknown>;
  /** Resolves when the server has acknowledged all names. */
  subscribe(names: readonly string[], sharded: boolean): Promise<unknown>;
  unsubscribe(names: readonly string[], sharded: boolean): Promise<unknown>;
  /** Closes the socket without waiting for replies. Idempotent. */
  abort(): void;
}

export interface ConnectionEvents {
  message(name: string, text: string): void;
  /** The connection is closed. A client library may call it more than once. */
  closed(cause: unknown): void;
}

/** Limits on the time for connecting. */
export interface ConnectLimits {
  /** ms. */
  readonly timeout: number;
  /** Aborted when the connection is no longer needed. */
  readonly signal: AbortSignal;
}

/** Connects to the server of the user's client, or to the given address. */
export type Connect = (
  events: ConnectionEvents,
  limits: ConnectLimits,
  address?: Address,
) => Promise<LibraryConnection>;

/** Waits until a client library has connected. Aborts the connection after `timeout`, or when `signal` is aborted. */
export async function connectWithin(
  { timeout, signal }: ConnectLimits,
  connected: Promise<unknown>,
  abort: () => void,
): Promise<void> {
  let stopWaiting = () => {};
  const expired = new Promise((_, reject) => {
    const onTimeout = () => reject(new ConnectionLost(`no connection to Redis within ${timeout} ms`));
    const timer = setTimeout(onTimeout, timeout);
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
    stopWaiting = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
  });
  try {
    await Promise.race([connected, expired]);
  } catch (error) {
    abort();
    throw error;
  } finally {
    stopWaiting();
  }
}
