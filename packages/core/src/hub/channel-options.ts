import { TidingsError } from '../errors.ts';
import { encode } from '../event.ts';
import { invalid, isObject, isWhole } from '../invalid.ts';
import type { ChannelSettings, Overflow } from '../log/channel.ts';
import type { Keep } from '../log/history.ts';

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
  const options: ChannelOptions & { then?: unknown } = given === undefined ? {} : given;
  if (!isObject(options)) throw invalid('channels', 'a function that returns an object', options);
  if (typeof options.then === 'function') {
    // Nobody is going to await it: if it fails, too, that must not end the process.
    Promise.resolve(options).catch(() => {});
    throw new TidingsError(
      'invalid-option',
      'channels must not be async: it must return the options, not a promise',
    );
  }
  return options;
}

/**
 * @param standard what is kept unless the options say otherwise.
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function readChannelOptions(options: ChannelOptions, standard: HistorySettings): ChannelSettings {
  if (!isObject(options)) throw invalid('options', 'an object', options);
  const { compact = false, overflow = 'reset', snapshot, snapshotEvent, history } = options;
  if (typeof compact !== 'boolean') throw invalid('compact', 'a boolean', compact);
  if (overflow !== 'reset' && overflow !== 'disconnect') {
    throw invalid('overflow', "'reset' or 'disconnect'", overflow);
  }
  if (snapshot !== undefined && typeof snapshot !== 'function') {
    throw invalid('snapshot', 'a function', snapshot);
  }
  const event = readEventName('snapshotEvent', snapshotEvent, 'snapshot');
  const { events, bytes, age } = history === undefined ? standard : readHistory(history);
  return { events, bytes, age, compact, overflow, snapshot: snapshot && { event, take: snapshot } };
}

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readEventName(name: string, value: string | undefined, standard: string): string {
  if (value === undefined) return standard;
  try {
    encode('', { event: value });
    if (value !== '') return value;
  } catch {
    // Said below, by the name of the option.
  }
  throw invalid(name, 'a string of at least one character, without CR, LF or NUL', value);
}

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readHistory(history: HistoryOptions | false = {}): HistorySettings {
  if (history === false) return { events: 0, bytes: 0, age: 0 };
  if (!isObject(history)) throw invalid('history', 'an object, or false', history);
  const { events = 256, bytes = 1024 * 1024, age = 5 * 60_000 } = history;
  if (!isCount(events)) throw invalid('history.events', 'an integer, 0 or more, or Infinity', events);
  if (!isCount(bytes)) throw invalid('history.bytes', 'an integer, 0 or more, or Infinity', bytes);
  if (typeof age !== 'number' || !(age > 0)) throw invalid('history.age', 'a number of ms above 0', age);
  return { events, bytes, age };
}

function isCount(value: unknown): boolean {
  return value === Number.POSITIVE_INFINITY || isWhole(value);
}
