import type { Broker } from './broker.ts';
import type { ChannelSettings, Overflow } from './channel.ts';
import { show, TidingsError } from './errors.ts';
import type { Observer } from './meter.ts';
import type { ErrorContext, StreamHeaders, StreamOptions } from './stream.ts';

export interface HubOptions {
  /** Where the log lives, so that several nodes share it. Default: in this process, in memory. */
  broker?: Broker | undefined;
  /**
   * Ms after which a `publish` that the broker has not stored rejects, with a code that says whether it may be
   * stored yet: `not-stored` or `maybe-stored`. Default: 5,000. Of no use without a broker.
   */
  publishTimeout?: number | undefined;
  /**
   * Ms of silence after which a stream gets a comment, so that nothing on the way takes it for dead. Default:
   * 15,000 (8,000 on Bun, whose server cuts a response that is silent for 10 s). `false`: none.
   */
  heartbeat?: number | false | undefined;
  /**
   * Bytes that `send()` may queue on a stream whose peer does not read; with more it closes as `slow`. One
   * larger event may pass when nothing is queued. Default: 1 MiB.
   */
  maxBufferedBytes?: number | undefined;
  /**
   * Ms for which queued bytes may not move before the peer is taken for dead, and the stream closes as
   * `stalled`. Default: 60,000. `false`: never.
   */
  stallTimeout?: number | false | undefined;
  /**
   * Ms that a stream lives at most. Each closes at a random moment between 80 % and 100 % of it, so that not
   * all come back at once. Default: `false`, no limit.
   */
  maxAge?: number | false | undefined;
  limits?: Limits | undefined;
  /** What channels keep, unless their own options say otherwise; all together at most 64 MiB. `false`: nothing. */
  history?: HistoryOptions | false | undefined;
  /** The options of each channel, by name: those that every node and every life of the channel shall agree on. */
  channels?: ((name: string) => ChannelOptions) | undefined;
  /** Is told what the hub does: for metrics. Default: nobody. */
  observer?: Observer | undefined;
  /** The name of the event that tells a client it has missed something. Default: `reset`. */
  resetEvent?: string | undefined;
  /** Called with what goes wrong in the background; none of it reaches the peer. Default: `console.error`. */
  onError?: ((error: unknown, context: ErrorContext) => void) | undefined;
}

export interface Limits {
  /** How many streams may be open; a further one is told to come back later. Default: no limit. */
  streams?: number | undefined;
  /** How many streams a client may have; a further one closes its oldest. Default: no limit. */
  perClient?: number | undefined;
}

/** How much of its past a channel keeps. What is over a limit leaves, oldest first. */
export interface HistoryOptions {
  /** Default: 256. */
  events?: number | undefined;
  /** Default: 1 MiB. */
  bytes?: number | undefined;
  /** Ms. Default: 5 minutes. */
  age?: number | undefined;
}

export interface ChannelOptions {
  /** `false`: nothing is kept, events are delivered live only. Default: the hub's. */
  history?: HistoryOptions | false | undefined;
  /**
   * Keeps only the newest event of each `key` (or, without one, of each event name). A new stream gets these first,
   * then what comes. Default: false.
   */
  compact?: boolean | undefined;
  /**
   * Tells the state of what the channel is about, where that lives elsewhere. A new stream, or one that has missed
   * something, gets it as the data of an event `snapshot`, and then what was published since it was asked for.
   */
  snapshot?: (() => unknown) | undefined;
  /**
   * What a stream gets that is so slow that what it needs has left the history: `reset`, an event that says so, and
   * what comes then; `disconnect`, an end, after which its client comes back. Default: `reset`.
   */
  overflow?: Overflow | undefined;
}

export interface CloseOptions {
  /** Ms after which streams that have not ended are cut. Default: 10,000. */
  within?: number | undefined;
  /** Each client is told to wait a random number of ms between these two. Default: [1_000, 15_000]. */
  retry?: readonly [min: number, max: number] | undefined;
}

/** {@link CloseOptions} with every default filled in. */
export interface CloseSettings {
  within: number;
  retry: readonly [min: number, max: number];
}

/** {@link HubOptions} with every default filled in; what is switched off is Infinity. */
export interface HubSettings {
  broker: Broker | undefined;
  publishTimeout: number;
  observer: Observer;
  heartbeat: number;
  maxBufferedBytes: number;
  stallTimeout: number;
  maxAge: number;
  maxStreams: number;
  maxPerClient: number;
  resetEvent: string;
  channel: (name: string, options?: ChannelOptions) => ChannelSettings;
  /** Ms that the clock may be late. */
  precision: number;
  onError: (error: unknown, context: ErrorContext) => void;
}

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readHubOptions(options: HubOptions): HubSettings {
  const { limits = {}, onError = reportToConsole } = options;
  if (typeof onError !== 'function') throw invalid('onError', 'a function', onError);
  const heartbeat = readDuration('heartbeat', options.heartbeat, 'Bun' in globalThis ? 8_000 : 15_000);
  const stallTimeout = readDuration('stallTimeout', options.stallTimeout, 60_000);
  const maxAge = readDuration('maxAge', options.maxAge, Number.POSITIVE_INFINITY);
  return {
    broker: readBroker(options.broker),
    observer: options.observer ?? {},
    publishTimeout: Math.min(LONGEST_TIMER, readDuration('publishTimeout', options.publishTimeout, 5_000)),
    heartbeat,
    stallTimeout,
    maxAge,
    precision: Math.max(5, Math.min(1_000, Math.min(heartbeat, stallTimeout, maxAge) / 32)),
    maxBufferedBytes: readCount('maxBufferedBytes', options.maxBufferedBytes, 1024 * 1024),
    resetEvent: options.resetEvent ?? 'reset',
    channel: (name, own = options.channels?.(name) ?? {}) => readChannelOptions(own, options.history),
    maxStreams: readCount('limits.streams', limits.streams, Number.POSITIVE_INFINITY),
    maxPerClient: Math.max(1, readCount('limits.perClient', limits.perClient, Number.POSITIVE_INFINITY)),
    onError,
  };
}

function readBroker(broker: Broker | undefined): Broker | undefined {
  if (broker === undefined || (typeof broker?.start === 'function' && typeof broker.open === 'function')) {
    return broker;
  }
  throw invalid('broker', 'a Broker, as redisBroker() of @tidings/redis makes one', broker);
}

/** @throws {TidingsError} `invalid-option`, naming the option. */
function readChannelOptions(options: ChannelOptions, standard: HubOptions['history']): ChannelSettings {
  const { compact = false, overflow = 'reset', snapshot } = options;
  if (overflow !== 'reset' && overflow !== 'disconnect') {
    throw invalid('overflow', "'reset' or 'disconnect'", overflow);
  }
  const history = options.history ?? standard ?? {};
  if (history === false) return { events: 0, bytes: 0, age: 0, compact, overflow, snapshot };
  return {
    events: readCount('history.events', history.events, 256),
    bytes: readCount('history.bytes', history.bytes, 1024 * 1024),
    age: readCount('history.age', history.age, 5 * 60_000),
    compact,
    overflow,
    snapshot,
  };
}

/** With more, a timer fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readCloseOptions(options: CloseOptions): CloseSettings {
  const { within = 10_000, retry = [1_000, 15_000] } = options;
  if (!(isWhole(within) && within <= LONGEST_TIMER))
    throw invalid('within', 'an integer of ms, at most 2 ** 31 - 1', within);
  if (!Array.isArray(retry) || !isWhole(retry[0]) || !isWhole(retry[1]) || retry[0] > retry[1]) {
    throw invalid('retry', 'two integers of ms, the smaller first', retry);
  }
  return { within, retry };
}

/** Headers that belong to the stream or to the connection, and not to the application. */
const OUR_HEADERS = [
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'connection',
  'keep-alive',
];

/** {@link StreamOptions}, with the headers as they are sent. */
export interface StreamSettings extends StreamOptions {
  headers: Record<string, string> | undefined;
}

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readStreamOptions(options: StreamOptions): StreamSettings {
  const { client, retry, headers, expiresAt } = options;
  if (client !== undefined && typeof client !== 'string') throw invalid('client', 'a string', client);
  if (retry !== undefined && !isWhole(retry)) throw invalid('retry', 'an integer of ms, 0 or more', retry);
  if (expiresAt !== undefined && Number.isNaN(Number(expiresAt))) {
    throw invalid('expiresAt', 'a Date, or ms since 1970', expiresAt);
  }
  return { client, retry, expiresAt, headers: headers && readHeaders(headers) };
}

/** What Node refuses in a header's value, and the Fetch standard does not. */
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]/;

function readHeaders(headers: StreamHeaders): Record<string, string> {
  const checked = new Headers();
  for (const [name, value] of Symbol.iterator in headers ? headers : Object.entries(headers)) {
    if (value === undefined) continue;
    try {
      checked.set(name, value);
    } catch (cause) {
      throw new TidingsError('invalid-option', `headers: ${show(name)} cannot be sent`, { cause });
    }
    if (UNSENDABLE.test(value))
      throw new TidingsError('invalid-option', `headers: ${show(name)} cannot be sent`);
  }
  for (const name of OUR_HEADERS) checked.delete(name);
  return Object.fromEntries(checked);
}

function readDuration(name: string, value: number | false | undefined, standard: number): number {
  if (value === false) return Number.POSITIVE_INFINITY;
  if (value === undefined) return standard;
  if (typeof value !== 'number' || !(value > 0))
    throw invalid(name, 'a number of ms above 0, or false', value);
  return value;
}

function readCount(name: string, value: number | undefined, standard: number): number {
  if (value === undefined) return standard;
  if (typeof value !== 'number' || !(value >= 0)) throw invalid(name, 'a number, 0 or more', value);
  return value;
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function invalid(name: string, expected: string, value: unknown): TidingsError {
  return new TidingsError('invalid-option', `${name} must be ${expected}; got ${show(value)}`);
}

function reportToConsole(error: unknown, { stage }: ErrorContext): void {
  console.error(`tidings: ${stage}:`, error);
}
