import { bindContext } from '../../base/async-context.ts';
import { isThenable } from '../../base/deferred.ts';
import { checkType, invalid, isObject, isWhole, readCount, readDuration } from '../../base/option-checks.ts';
import { checkNames, optionNames } from '../../base/option-names.ts';
import type { CompressionSettings } from '../../compression/zlib.ts';
import type { ChannelSettings, Keep, Overflow } from '../../log/keep.ts';
import { fieldText } from '../../protocol/event.ts';

/** How much a channel retains. Above a limit, the oldest events are trimmed. */
export interface HistoryOptions {
  /** Number of events; in a compacted channel, of keys. Default: 256. */
  events?: number | undefined;
  /** Bytes of all events. Default: 1 MiB. */
  bytes?: number | undefined;
  /** Age in ms. Default: 300,000. `false`: no limit. In a compacted channel it applies to deleted keys only. */
  age?: number | false | undefined;
}

/** The return type of `snapshot`: the data of the channel's `snapshot` event, or a promise of it. */
type SnapshotData<Data> = unknown extends Data ? unknown : Data | Promise<Data>;

/**
 * The options of one channel.
 *
 * @typeParam Snapshot the data of its snapshot.
 */
export interface ChannelOptions<Snapshot = unknown> {
  /**
   * How much the channel retains. `false`: nothing. Connected clients receive its events; a client that reconnects
   * receives neither the events that it missed nor a `reset`. Default: the hub's `history`.
   */
  history?: HistoryOptions | false | undefined;
  /**
   * Retains only the latest event of each `key` (without a key, of each event name). A new stream receives these first,
   * then new events. Default: false.
   */
  compact?: boolean | undefined;
  /**
   * Returns the current state of the channel, or a promise of it. A new stream, and one that receives a `reset`,
   * receives it as the data of an event, then everything that was published since the call. Streams that begin at the
   * same time share one call. If it throws, rejects, or takes longer than 30 s, the stream closes as `error`, `onError`
   * is called, and the client reconnects later. It runs in the async context of `createHub()`, or of the
   * `hub.channel()` call to which it was passed. Default: none.
   */
  snapshot?: (() => SnapshotData<Snapshot>) | undefined;
  /**
   * The name of the snapshot's event, by which a page can distinguish the snapshots of several channels. Default:
   * `snapshot`.
   */
  snapshotEvent?: string | undefined;
  /**
   * What a slow consumer receives when events were trimmed before its client had read them. `reset`: it receives a
   * `reset` event, and continues with new events. `disconnect`: it closes as `slow`, and its client reconnects. With a
   * broker, a compacted channel disconnects in any case if this process has evicted a part of its state. Neither applies
   * to `hub.listen`, which always receives a reset. Default: `reset`.
   */
  overflow?: Overflow | undefined;
  /**
   * Whether its events may be compressed, if the hub has `compression`. Set it to false for a channel that carries
   * secrets together with text that an attacker can choose (BREACH). Default: true.
   */
  compression?: boolean | undefined;
  /**
   * ms for which an event may wait for others. Events that are published within this time are sent with one write for
   * each stream. This saves most of the CPU time of a busy channel, and adds up to this time to the latency. Channels
   * with the same interval are sent together, after 1 MiB at the latest. An integer from 0 to 10,000. Default: 0,
   * events are sent at the end of the tick.
   */
  flushInterval?: number | undefined;
}

/** {@link HistoryOptions} with every default filled in. */
export type HistorySettings = Pick<Keep, 'events' | 'bytes' | 'age'>;

/**
 * Asks the application for the options of a channel.
 *
 * @throws {TidingsError} `invalid-option`: the application has returned something other than an object.
 */
export function channelOptionsFor(
  name: string,
  channels: ((name: string) => ChannelOptions | undefined) | undefined,
): ChannelOptions {
  if (channels === undefined) return {};
  const given = channels(name);
  if (given === undefined) return {};
  // The promise is not awaited. Without a handler, its rejection would end the process.
  if (isThenable(given)) Promise.resolve(given).catch(() => {});
  else if (isObject(given)) return given;
  throw invalid('channels', 'a synchronous function that returns an object', given);
}

/** Maximum ms of `flushInterval`. Waiting events are retained beyond the limits of the history. */
const LONGEST_INTERVAL = 10_000;

const CHANNEL_OPTIONS = optionNames<ChannelOptions>({
  history: true,
  compact: true,
  snapshot: true,
  snapshotEvent: true,
  overflow: true,
  compression: true,
  flushInterval: true,
});

/**
 * Checks the options of a channel.
 *
 * @param hubHistory the `history` option of the hub, which is the default.
 * @param hasChannelField whether snapshots are sent with the name of their channel.
 * @param hubCompression the compression of the hub. Absent: the hub has no compression.
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function readChannelOptions(
  options: ChannelOptions,
  hubHistory: HistorySettings,
  hasChannelField: boolean,
  hubCompression?: CompressionSettings,
): ChannelSettings {
  checkType('options', 'object', options);
  checkNames(options, CHANNEL_OPTIONS);
  const {
    compact = false,
    overflow = 'reset',
    snapshot,
    snapshotEvent,
    history,
    flushInterval = 0,
  } = options;
  checkType('compact', 'boolean', compact);
  checkType('compression', 'boolean', options.compression);
  if (overflow !== 'reset' && overflow !== 'disconnect') {
    throw invalid('overflow', "'reset' or 'disconnect'", overflow);
  }
  checkType('snapshot', 'function', snapshot);
  if (!isWhole(flushInterval) || flushInterval > LONGEST_INTERVAL) {
    throw invalid('flushInterval', 'an integer of ms, 0 to 10,000', flushInterval);
  }
  const event = readEventName('snapshotEvent', snapshotEvent, 'snapshot');
  const { events, bytes, age } = history === undefined ? hubHistory : readHistory(history);
  return {
    events,
    bytes,
    age,
    compact,
    compression: options.compression === false ? undefined : hubCompression,
    overflow,
    snapshot: snapshot && { event, take: bindContext(snapshot), hasChannelField },
    flushInterval,
  };
}

/**
 * Checks the name of an event.
 *
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function readEventName(name: string, value: string | undefined, fallback: string): string {
  if (value === '') throw invalid(name, 'a string of at least one character', value);
  return value === undefined ? fallback : fieldText(name, value, 'invalid-option');
}

const HISTORY_OPTIONS = optionNames<HistoryOptions>({
  events: true,
  bytes: true,
  age: true,
});

/**
 * Checks how much a channel retains.
 *
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function readHistory(history: HistoryOptions | false = {}): HistorySettings {
  if (history === false) return { events: 0, bytes: 0, age: 0 };
  if (!isObject(history)) throw invalid('history', 'an object, or false', history);
  checkNames(history, HISTORY_OPTIONS, 'history.');
  return {
    events: readCount('history.events', history.events, 256),
    bytes: readCount('history.bytes', history.bytes, 1024 * 1024),
    age: readDuration('history.age', history.age, 5 * 60_000),
  };
}
