import { checkType, invalid, isWhole, readCount, readDuration } from '../base/option-checks.ts';
import type { Broker } from '../log/broker.ts';
import type { ChannelSettings } from '../log/channel-log.ts';
import type { ErrorContext } from '../stream/event-stream.ts';
import {
  type ChannelOptions,
  channelOptionsFor,
  type HistoryOptions,
  readChannelOptions,
  readEventName,
  readHistory,
} from './channel-options.ts';
import type { Observer } from './stats.ts';

export type { ChannelOptions, HistoryOptions } from './channel-options.ts';

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
  /** How many streams there may be. Default: no limits. */
  limits?: Limits | undefined;
  /** What channels keep, unless their own options say otherwise; all together at most 64 MiB. `false`: nothing. */
  history?: HistoryOptions | false | undefined;
  /** The options of each channel, by name: those that every node and every life of the channel shall agree on. */
  channels?: ((name: string) => ChannelOptions | undefined) | undefined;
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
  checkType('options', 'object', options);
  const { limits = {}, channels, onError = reportToConsole } = options;
  checkType('limits', 'object', limits);
  checkType('channels', 'function', channels);
  checkType('onError', 'function', onError);
  const heartbeat = readDuration('heartbeat', options.heartbeat, 'Bun' in globalThis ? 8_000 : 15_000);
  const stallTimeout = readDuration('stallTimeout', options.stallTimeout, 60_000);
  const maxAge = readDuration('maxAge', options.maxAge, Number.POSITIVE_INFINITY);
  const history = readHistory(options.history);
  return {
    broker: readBroker(options.broker),
    observer: readObserver(options.observer),
    publishTimeout: Math.min(LONGEST_TIMER, readDuration('publishTimeout', options.publishTimeout, 5_000)),
    heartbeat,
    stallTimeout,
    maxAge,
    // Whole, so that the times that every stream keeps are small integers, which take no memory of their own.
    precision: Math.max(5, Math.ceil(Math.min(32_000, heartbeat, stallTimeout, maxAge) / 32)),
    maxBufferedBytes: readCount('maxBufferedBytes', options.maxBufferedBytes, 1024 * 1024),
    resetEvent: readEventName('resetEvent', options.resetEvent, 'reset'),
    channel: (name, own) =>
      readChannelOptions(own === undefined ? channelOptionsFor(name, channels) : own, history),
    maxStreams: readCount('limits.streams', limits.streams, Number.POSITIVE_INFINITY),
    maxPerClient: readCount('limits.perClient', limits.perClient, Number.POSITIVE_INFINITY, 1),
    onError,
  };
}

function readBroker(broker: Broker | undefined): Broker | undefined {
  if (broker === undefined || (typeof broker?.start === 'function' && typeof broker.open === 'function')) {
    return broker;
  }
  throw invalid('broker', 'a Broker, as redisBroker() of @tidings/redis makes one', broker);
}

const CALLBACKS = [
  'opened',
  'closed',
  'published',
  'delivered',
  'lagging',
  'reset',
  'replayed',
  'dropped',
] as const satisfies readonly (keyof Observer)[];

function readObserver(observer: Observer | undefined): Observer {
  if (observer === undefined) return {};
  checkType('observer', 'object', observer);
  for (const name of CALLBACKS) checkType(`observer.${name}`, 'function', observer[name]);
  return observer;
}

/** With more, a timer fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readCloseOptions(options: CloseOptions): CloseSettings {
  checkType('options', 'object', options);
  const { within = 10_000, retry = [1_000, 15_000] } = options;
  if (!(isWhole(within) && within <= LONGEST_TIMER))
    throw invalid('within', 'an integer of ms, at most 2 ** 31 - 1', within);
  if (!Array.isArray(retry) || !isWhole(retry[0]) || !isWhole(retry[1]) || retry[0] > retry[1]) {
    throw invalid('retry', 'two integers of ms, the smaller first', retry);
  }
  return { within, retry };
}

function reportToConsole(error: unknown, { stage }: ErrorContext): void {
  console.error(`tidings: ${stage}:`, error);
}
