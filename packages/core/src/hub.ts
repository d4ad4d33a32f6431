import { type ClientRegistry, Clients } from './clients.ts';
import { drain } from './drain.ts';
import type { Entry } from './entry.ts';
import { TidingsError } from './errors.ts';
import { dataText, encode } from './event.ts';
import { type Channel, type ChannelName, namesOf, type PublishFields } from './hub-channel.ts';
import { Log } from './log.ts';
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
import { COME_BACK_LATER, createRetry, randomBetween } from './retry.ts';
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
   * Sends an event to every stream that is subscribed to a channel, and keeps it in the channel's history.
   *
   * @returns the event's id, once it is accepted. Rejects, and never throws, when it cannot be: with a TypeError for
   *   data that cannot be sent, else with a TidingsError: `invalid-field`, `ended`, `closed`. A rejection goes to
   *   `onError`, too, and ends no process if nobody awaits it.
   */
  publish(channel: ChannelName, data: unknown, fields?: PublishFields): Promise<string>;
  /** A handle of a channel. It need not be kept: the name is enough to find the same channel again. */
  channel(name: string): Channel;
  /** Where the hub stands: read it, then load what a page shows, then connect with `?lastEventId=`, without a gap. */
  position(): Promise<string>;
  /**
   * Ends every stream and takes no new ones. Stop listening first: `server.close()`, then `await hub.close()`.
   *
   * @returns resolves when every response is over. A second call returns the first one's promise.
   * @throws {TidingsError} `invalid-option`, naming the option.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** Bytes that the histories of all channels take together. */
const ALL_HISTORIES = 64 * 1024 * 1024;

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
  readonly log: Log;
  readonly resetEvent: string;
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
    this.resetEvent = settings.resetEvent;
    this.scheduler = new Scheduler(settings.precision);
    this.log = new Log(name => settings.channel(name), ALL_HISTORIES, this.scheduler);
  }

  open(transport: Transport, request: StreamRequest, options: StreamOptions = {}): EventStream {
    const stream = new OpenStream(this, transport, request, readStreamOptions(options));
    if (transport.closed) {
      stream.leave('disconnected');
    } else if (request.method === 'HEAD') {
      stream.decline('closed', options.retry);
    } else if (
      this.#comeBack !== undefined ||
      (this.streams.size >= this.#settings.maxStreams && !stream.hasHadAll)
    ) {
      stream.decline('refused', randomBetween(this.#comeBack ?? COME_BACK_LATER));
    } else {
      // Who is about to be told that there is no more takes nobody's place.
      if (!stream.hasHadAll) this.#makeRoom(stream);
      this.streams.add(stream);
      this.clients.add(stream);
      stream.start();
    }
    return stream;
  }

  publish(channel: ChannelName, data: unknown, fields: PublishFields = {}): Promise<string> {
    const { event, key, gone = false, except } = fields;
    return this.#accept(channel, () => {
      const text = dataText(data);
      // Throws what is wrong with the name, before the event has a position.
      if (event !== undefined) encode('', { event });
      return {
        kind: gone ? 'gone' : 'event',
        event,
        key,
        except: typeof except === 'object' ? except.id : except,
        data: text,
      };
    });
  }

  channel(name: string): Channel {
    const { log } = this;
    return {
      name,
      get subscriberCount() {
        return log.find(name)?.subscribers.size ?? 0;
      },
      publish: (data, fields) => this.publish(name, data, fields),
      end: () => this.#accept(name, () => ({ kind: 'end', data: '' })),
    };
  }

  async position(): Promise<string> {
    return this.log.id(this.log.head);
  }

  /** Gives an entry its place in the order; what is wrong with it becomes a rejection that ends no process. */
  #accept(target: ChannelName, draft: () => Omit<Entry, 'channel' | 'position'>): Promise<string> {
    let channel: string | undefined;
    try {
      channel = namesOf(target)[0] as string;
      if (this.#drained !== undefined) throw new TidingsError('closed', 'the hub is closed');
      const entry = { ...draft(), channel, position: this.log.head + 1 };
      if (this.log.find(channel)?.endedAt !== undefined) {
        throw new TidingsError(
          'ended',
          `the channel ${JSON.stringify(channel)} has ended: nothing can follow`,
        );
      }
      this.log.accept(entry);
      return Promise.resolve(this.log.id(entry.position));
    } catch (error) {
      this.report(error, { stage: 'publish', channel });
      const rejection = Promise.reject(error);
      rejection.catch(() => {});
      return rejection;
    }
  }

  close(options: CloseOptions = {}): Promise<void> {
    if (this.#drained === undefined) {
      const checked = readCloseOptions(options);
      this.#comeBack = checked.retry;
      this.#drained = drain([...this.streams], checked).then(() => this.scheduler.delete(this.log));
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
      stream.finish('replaced', createRetry(COME_BACK_LATER));
    }
  }
}
