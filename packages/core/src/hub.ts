import { type ClientRegistry, Clients } from './clients.ts';
import { drain, randomBetween } from './drain.ts';
import { encodeRetry } from './event.ts';
import { createFrame } from './frame.ts';
import { OpenStream, type StreamHost } from './open-stream.ts';
import {
  type CloseOptions,
  type HubOptions,
  type HubSettings,
  readCloseOptions,
  readHubOptions,
  readStreamOptions,
} from './options.ts';
import type { StreamRequest } from './request.ts';
import { Scheduler } from './scheduler.ts';
import type { ErrorContext, EventStream, StreamOptions } from './stream.ts';
import type { Transport } from './transport.ts';

/** Knows every open stream of an application; one per app. */
export interface Hub {
  /** Every stream whose response is not over. */
  readonly streams: ReadonlySet<EventStream>;
  /** The streams of each client. */
  readonly clients: ClientRegistry;
  /**
   * Answers a request with a stream: what adapters call. Never throws because a peer has left.
   *
   * Over `limits.streams`, or when the hub is closing, the client is told to come back later, and the stream
   * returned has closed as `refused`.
   *
   * @throws {TidingsError} `invalid-option`, naming the option.
   */
  open(transport: Transport, request: StreamRequest, options?: StreamOptions): EventStream;
  /**
   * Ends every stream and takes no new ones. Stop listening first: `server.close()`, then `await hub.close()`.
   *
   * @returns resolves when every response is over. A second call returns the first one's promise.
   * @throws {TidingsError} `invalid-option`, naming the option.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** Ms after which a client shall come back that was turned away: as many as it takes for things to change. */
const COME_BACK_LATER = [15_000, 60_000] as const;

/**
 * Makes a hub. It does nothing until its first stream: no timer, no randomness.
 *
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function createHub(options: HubOptions = {}): Hub {
  return new LocalHub(readHubOptions(options));
}

class LocalHub implements Hub, StreamHost {
  readonly streams = new Set<OpenStream>();
  readonly clients = new Clients<OpenStream>();
  readonly scheduler: Scheduler;
  readonly heartbeat: number;
  readonly maxAge: number;
  readonly maxBufferedBytes: number;
  readonly stallTimeout: number;
  readonly #settings: HubSettings;
  /** Set by `close()`: the ms after which whoever comes now shall come back. */
  #comeBack: readonly [min: number, max: number] | undefined;
  #drained: Promise<void> | undefined;

  constructor(settings: HubSettings) {
    this.#settings = settings;
    this.heartbeat = settings.heartbeat;
    this.maxAge = settings.maxAge;
    this.maxBufferedBytes = settings.maxBufferedBytes;
    this.stallTimeout = settings.stallTimeout;
    this.scheduler = new Scheduler(settings.precision);
  }

  open(transport: Transport, request: StreamRequest, options: StreamOptions = {}): EventStream {
    const stream = new OpenStream(this, transport, request, readStreamOptions(options));
    if (transport.closed) {
      stream.leave('disconnected');
    } else if (request.method === 'HEAD') {
      stream.decline('closed', options.retry);
    } else if (this.#comeBack !== undefined || this.streams.size >= this.#settings.maxStreams) {
      stream.decline('refused', randomBetween(...(this.#comeBack ?? COME_BACK_LATER)));
    } else {
      this.#makeRoom(stream);
      this.streams.add(stream);
      this.clients.add(stream);
      stream.start();
    }
    return stream;
  }

  close(options: CloseOptions = {}): Promise<void> {
    if (this.#drained === undefined) {
      const checked = readCloseOptions(options);
      this.#comeBack = checked.retry;
      this.#drained = drain([...this.streams], checked);
    }
    return this.#drained;
  }

  report(error: unknown, context: ErrorContext): void {
    // A promise, if it returns one, is its own too.
    new Promise(resolve => {
      resolve(this.#settings.onError(error, context));
    }).catch(failure => console.error('tidings: onError failed:', failure));
  }

  gone(stream: OpenStream): void {
    this.scheduler.delete(stream);
    this.streams.delete(stream);
    this.clients.delete(stream);
  }

  /** Closes a client's oldest streams: a phone that changed networks must not be locked out by its own ghosts. */
  #makeRoom({ client }: OpenStream): void {
    if (client === undefined) return;
    const open = [...this.clients.get(client)].filter(stream => stream.isOpen);
    for (const stream of open.slice(0, Math.max(0, open.length + 1 - this.#settings.maxPerClient))) {
      stream.finish('replaced', createFrame(encodeRetry(randomBetween(...COME_BACK_LATER))));
    }
  }
}
