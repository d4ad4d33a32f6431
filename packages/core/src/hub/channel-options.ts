import { bindContext } from '../base/async-context.ts';
import { isThenable } from '../base/deferred.ts';
import { checkType, invalid, isObject, readCount, readDuration } from '../base/option-checks.ts';
import type { ChannelSettings, Overflow } from '../log/channel-log.ts';
import type { Keep } from '../log/history.ts';
import { fieldText } from '../protocol/event.ts';

/** How much of its past a channel keeps. What is over a limit leaves, oldest first. */
export interface HistoryOptions {
  /** Default: 256. */
  events?: number | undefined;
  /** Default: 1 MiB. */
  bytes?: number | undefined;
  /** Ms. Default: 5 minutes. `false`: however old. */
  age?: number | false | undefined;
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
   * something, gets it as the data of an event, and then what was published since it was asked for.
   */
  snapshot?: (() => unknown) | undefined;
  /** The name of that event, by which a page that follows several channels knows whose it is. Default: `snapshot`. */
  snapshotEvent?: string | undefined;
  /**
   * What a stream gets that is so slow that what it needs has left the history: `reset`, an event that says so, and
   * what comes then; `disconnect`, an end, after which its client comes back. Default: `reset`.
   */
  overflow?: Overflow | undefined;
}

/** What a history keeps, with every default filled in. */
export type HistorySettings = Pick<Keep, 'events' | 'bytes' | 'age'>;

/**
 * Asks the application for the options of a channel.
 *
 * @throws {TidingsError} `invalid-option`: these are not options.
 */
export function channelOptionsFor(
  name: string,
  channels: ((name: string) => ChannelOptions | undefined) | undefined,
): ChannelOptions {
  if (channels === undefined) return {};
  const given = channels(name);
  if (given === undefined) return {};
  // Nobody is going to await it: if it fails, too, that must not end the process.
  if (isThenable(given)) Promise.resolve(given).catch(() => {});
  else if (isObject(given)) return given;
  throw invalid('channels', 'a function that returns an object, and is not async', given);
}

/**
 * @param standard what is kept unless the options say otherwise.
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function readChannelOptions(options: ChannelOptions, standard: HistorySettings): ChannelSettings {
  checkType('options', 'object', options);
  const { compact = false, overflow = 'reset', snapshot, snapshotEvent, history } = options;
  checkType('compact', 'boolean', compact);
  if (overflow !== 'reset' && overflow !== 'disconnect') {
    throw invalid('overflow', "'reset' or 'disconnect'", overflow);
  }
  checkType('snapshot', 'function', snapshot);
  const event = readEventName('snapshotEvent', snapshotEvent, 'snapshot');
  const { events, bytes, age } = history === undefined ? standard : readHistory(history);
  return {
    events,
    bytes,
    age,
    compact,
    overflow,
    snapshot: snapshot && { event, take: bindContext(snapshot) },
  };
}

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readEventName(name: string, value: string | undefined, standard: string): string {
  if (value === '') throw invalid(name, 'a string of at least one character', value);
  return value === undefined ? standard : fieldText(name, value, 'invalid-option');
}

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readHistory(history: HistoryOptions | false = {}): HistorySettings {
  if (history === false) return { events: 0, bytes: 0, age: 0 };
  if (!isObject(history)) throw invalid('history', 'an object, or false', history);
  return {
    events: readCount('history.events', history.events, 256),
    bytes: readCount('history.bytes', history.bytes, 1024 * 1024),
    age: readDuration('history.age', history.age, 5 * 60_000),
  };
}
