import { checkType, invalid, isObject } from '../../base/option-checks.ts';
import { checkNames, optionNames } from '../../base/option-names.ts';
import type { SourceItem } from '../../stream/sending/source-options.ts';

/**
 * The options of `channel.from()`.
 *
 * @typeParam T the items of the source.
 * @typeParam Name the names of the channel's events.
 * @typeParam Data the data of its events.
 */
export interface ProducerOptions<T, Name extends string = string, Data = unknown> {
  /** Cancels the source when it is aborted. Default: none. */
  signal?: AbortSignal | undefined;
  /** Returns the data of an item's event; `undefined` skips the item. Default: the item itself. */
  map?: ((item: SourceItem<T>) => Data | undefined) | undefined;
  /** The name of every event, or a function that returns the name of each. Default: none, `message` at the client. */
  event?: Name | ((item: SourceItem<T>) => Name | undefined) | undefined;
  /**
   * Whether the channel ends after the last item, and when the source is cancelled or fails. `false`: you can publish a
   * last event, and then call `channel.end()`. Default: true.
   */
  end?: boolean | undefined;
}

const PRODUCER_OPTIONS = optionNames<ProducerOptions<unknown>>({
  signal: true,
  map: true,
  event: true,
  end: true,
});

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readProducerOptions<T>(options: ProducerOptions<T> = {}): ProducerOptions<T> {
  checkType('options', 'object', options);
  checkNames(options, PRODUCER_OPTIONS);
  const { signal, map, event, end } = options;
  if (signal !== undefined && !isSignal(signal)) throw invalid('signal', 'an AbortSignal', signal);
  checkType('map', 'function', map);
  if (typeof event !== 'function') checkType('event', 'string', event);
  checkType('end', 'boolean', end);
  return options;
}

/** Whether a value is an AbortSignal. Works for signals of other realms. */
export function isSignal(value: unknown): value is AbortSignal {
  return isObject(value) && 'aborted' in value && 'addEventListener' in value;
}
