import { bindContext } from '../../base/async-context.ts';
import { checkType, invalid, readCount, readDuration } from '../../base/option-checks.ts';
import { checkNames, optionNames } from '../../base/option-names.ts';
import type { FanOut } from '../../delivery/fan-out.ts';
import type { Broker } from '../../log/broker/broker.ts';
import type { ChannelSettings } from '../../log/keep.ts';
import type { ErrorContext } from '../../stream/event-stream.ts';
import { type HeartbeatOptions, readHeartbeat } from '../../stream/heartbeat.ts';
import type { StreamLimits } from '../../stream/stream-limits.ts';
import type { Authorize } from '../access/authorizer.ts';
import { LONGEST_TIMER } from '../closing/close-options.ts';
import { createErrorLog } from '../error-log.ts';
import { CALLBACKS, type Observer } from '../observability/observer.ts';
import { type PresenceOptions, type PresenceSettings, readPresence } from '../presence/presence-options.ts';
import {
  type ChannelOptions,
  channelOptionsFor,
  type HistoryOptions,
  readChannelOptions,
  readEventName,
  readHistory,
} from './channel-options.ts';
import { type CompressionOptions, readCompression } from './compression-options.ts';
import { readBroker, readFanOut } from './given-parts.ts';

export type { ChannelOptions, HistoryOptions } from './channel-options.ts';
export type { CompressionOptions } from './compression-options.ts';

/** The options of `createHub()`. `Data` is the type of `stream.data`. */
export interface HubOptions<Data = unknown> {
  /** The store of the log, which several processes can share. Default: the memory of this process. */
  broker?: Broker | undefined;
  /**
   * ms after which a call that waits for the broker rejects: `publish` with a code that says whether the event may be
   * stored (`not-stored` or `maybe-stored`), `position()` and `channel.state()` with `broker`. Default: 5,000. It has
   * no effect without a broker.
   */
  publishTimeout?: number | undefined;
  /**
   * ms of silence after which a stream sends a comment, so that proxies and load balancers do not time it out. Default:
   * 15,000 (8,000 on Bun, whose server closes a response that is silent for 10 s). `false`: never. Pass an object to
   * send an event that pages can listen for, instead of the comment. Each stream announces the interval in a response
   * header, `Tidings-Heartbeat`.
   */
  heartbeat?: number | false | HeartbeatOptions | undefined;
  /**
   * Bytes that may be buffered for one client before `send()` returns false. A stream that stays above for 1 s without
   * any progress closes as `slow`. Default: 1 MiB.
   */
  maxBufferedBytes?: number | undefined;
  /**
   * Maximum number of buffered bytes. Above it, the stream closes as `slow` immediately, and `onError` is called. One
   * larger event is accepted while nothing is buffered. Default: 16 MiB, or `maxBufferedBytes` if that is more.
   */
  bufferedBytesLimit?: number | undefined;
  /**
   * ms without progress after which a stream with buffered bytes closes as `stalled`. Default: 60,000. `false`: never.
   */
  stallTimeout?: number | false | undefined;
  /**
   * Maximum age of a stream in ms. Each stream closes at a random time between 80 % and 100 % of it, so that clients do
   * not all reconnect at once. Default: `false`, no limit.
   */
  maxAge?: number | false | undefined;
  /** Limits on the number of streams. Default: no limits. */
  limits?: Limits | undefined;
  /**
   * How much each channel retains, unless its own options replace it. All channels together retain at most 64 MiB.
   * `false`: nothing.
   */
  history?: HistoryOptions | false | undefined;
  /** Returns the options of a channel, by its name. Every process must return the same. */
  channels?: ((name: string) => ChannelOptions | undefined) | undefined;
  /**
   * Whether each event has a field `channel` with the name of its channel. An EventSource ignores the field.
   * `@tidings/client` has it as `event.channel`, and needs it if tabs that follow different channels share a
   * connection. The name adds its bytes to each event. Default: false.
   */
  channelField?: boolean | undefined;
  /** Publishes a list of the clients that are connected to any process, in a channel. Default: none. */
  presence?: PresenceOptions<Data> | undefined;
  /** Callbacks for metrics and logs. Default: none. */
  observer?: Observer<Data> | undefined;
  /**
   * Compresses streams with gzip, for clients that accept it. Each event is compressed once for all streams, with the
   * previous events of its channel as the dictionary. Needs `node:zlib` of Node.js 20.16 or later; without it, nothing
   * is compressed. Default: false.
   */
  compression?: boolean | CompressionOptions | undefined;
  /**
   * Sends one event to many sockets with one call: `native()` of `@tidings/native`, an addon in C for Node.js. If it
   * cannot use the socket of a stream, such as one of HTTP/2 or TLS, the hub writes to that stream separately. Default:
   * none, the hub writes to each stream separately.
   */
  fanOut?: FanOut | undefined;
  /** The name of the event that lists the channels of which a client has missed events. Default: `reset`. */
  resetEvent?: string | undefined;
  /**
   * Returns whether a stream may follow a channel. Called for each subscription, before the channel is read, and again
   * every {@link HubOptions.recheck} ms. Only `true` allows the channel. If it throws, rejects, or does not settle
   * within `authorizeTimeout`, the channel is refused and `onError` is called. Runs in the async context of
   * `createHub()`. Default: every stream may follow every channel.
   */
  authorize?: Authorize<Data> | undefined;
  /**
   * ms between two calls of `authorize` for each stream and channel; the calls are spread over this time. Default:
   * 60,000. `false`: only `hub.clients.recheck()` calls it again.
   */
  recheck?: number | false | undefined;
  /** ms after which a channel is refused if `authorize` has not settled. Default: 5,000. */
  authorizeTimeout?: number | undefined;
  /** The name of the event that lists the channels that a client may no longer follow. Default: `revoked`. */
  revokedEvent?: string | undefined;
  /**
   * Called with errors in the background. None of them reaches a client. Default: prints to `console.error`, the same
   * error at most once a minute.
   */
  onError?: ((error: unknown, context: ErrorContext) => void) | undefined;
}

/** Limits on the number of streams. */
export interface Limits {
  /** Maximum number of open streams. A further client receives a later reconnection time. Default: no limit. */
  streams?: number | undefined;
  /** Maximum number of streams of one client. A further stream closes the oldest one. Default: no limit. */
  perClient?: number | undefined;
}

/** {@link HubOptions} with every default filled in. A limit that is switched off is Infinity. */
export interface HubSettings extends StreamLimits {
  readonly resetEvent: string;
  readonly revokedEvent: string;
  readonly channelField: boolean;
  authorize: Authorize | undefined;
  authorizeTimeout: number;
  broker: Broker | undefined;
  publishTimeout: number;
  observer: Observer | undefined;
  presence: PresenceSettings | undefined;
  maxStreams: number;
  maxPerClient: number;
  channel: (name: string, options?: ChannelOptions) => ChannelSettings;
  /** ms that the clock may be late. */
  precision: number;
  onError: (error: unknown, context: ErrorContext) => void;
}

const HUB_OPTIONS = optionNames<HubOptions>({
  broker: true,
  publishTimeout: true,
  heartbeat: true,
  maxBufferedBytes: true,
  bufferedBytesLimit: true,
  stallTimeout: true,
  maxAge: true,
  limits: true,
  history: true,
  channels: true,
  presence: true,
  observer: true,
  channelField: true,
  resetEvent: true,
  compression: true,
  fanOut: true,
  authorize: true,
  recheck: true,
  authorizeTimeout: true,
  revokedEvent: true,
  onError: true,
});

const LIMITS = optionNames<Limits>({
  streams: true,
  perClient: true,
});

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readHubOptions(options: HubOptions): HubSettings {
  checkType('options', 'object', options);
  checkNames(options, HUB_OPTIONS);
  const { limits = {}, channels, channelField = false, onError = createErrorLog() } = options;
  checkType('limits', 'object', limits);
  checkNames(limits, LIMITS, 'limits.');
  checkType('channels', 'function', channels);
  checkType('onError', 'function', onError);
  checkType('channelField', 'boolean', channelField);
  const heartbeat = readHeartbeat(options.heartbeat);
  const stallTimeout = readDuration('stallTimeout', options.stallTimeout, 60_000);
  const maxAge = readDuration('maxAge', options.maxAge, Number.POSITIVE_INFINITY);
  const history = readHistory(options.history);
  const compression = readCompression(options.compression);
  const readChannel = (own: ChannelOptions) => readChannelOptions(own, history, channelField, compression);
  // Snapshots run in the context of `createHub()`, not in that of the first request that uses their channel.
  const readByName = bindContext((name: string) => readChannel(channelOptionsFor(name, channels)));
  checkType('authorize', 'function', options.authorize);
  const recheckInterval = readDuration('recheck', options.recheck, 60_000);
  const recheck = options.authorize === undefined ? Number.POSITIVE_INFINITY : recheckInterval;
  const maxBufferedBytes = readCount('maxBufferedBytes', options.maxBufferedBytes, 1024 * 1024);
  return {
    broker: readBroker(options.broker),
    observer: options.observer === undefined ? undefined : readObserver(options.observer),
    presence: readPresence(options.presence, options.broker),
    publishTimeout: Math.min(LONGEST_TIMER, readDuration('publishTimeout', options.publishTimeout, 5_000)),
    heartbeat,
    compression,
    fanOut: readFanOut(options.fanOut),
    stallTimeout,
    maxAge,
    authorize: options.authorize,
    recheck,
    authorizeTimeout: Math.min(
      LONGEST_TIMER,
      readDuration('authorizeTimeout', options.authorizeTimeout, 5_000),
    ),
    revokedEvent: readEventName('revokedEvent', options.revokedEvent, 'revoked'),
    // An integer, so that the times in every stream are small integers, which take no extra memory.
    precision: Math.max(
      5,
      Math.ceil(Math.min(32_000, heartbeat.interval, stallTimeout, maxAge, recheck) / 32),
    ),
    maxBufferedBytes,
    bufferedBytesLimit: readLimit(options.bufferedBytesLimit, maxBufferedBytes),
    channelField,
    resetEvent: readEventName('resetEvent', options.resetEvent, 'reset'),
    channel: (name, own) => (own === undefined ? readByName(name) : readChannel(own)),
    maxStreams: readCount('limits.streams', limits.streams, Number.POSITIVE_INFINITY),
    maxPerClient: readCount('limits.perClient', limits.perClient, Number.POSITIVE_INFINITY, 1),
    onError,
  };
}

function readLimit(bufferedBytesLimit: number | undefined, maxBufferedBytes: number): number {
  const limit = readCount(
    'bufferedBytesLimit',
    bufferedBytesLimit,
    Math.max(16 * 1024 * 1024, maxBufferedBytes),
  );
  if (limit >= maxBufferedBytes) return limit;
  throw invalid('bufferedBytesLimit', 'at least maxBufferedBytes', bufferedBytesLimit);
}

/** @throws {TidingsError} `invalid-option`, naming the callback. */
export function readObserver(observer: Observer): Observer {
  checkType('observer', 'object', observer);
  for (const name of CALLBACKS) checkType(`observer.${name}`, 'function', observer[name]);
  return observer;
}
