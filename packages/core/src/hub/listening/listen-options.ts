import { checkType, invalid } from '../../base/option-checks.ts';
import { checkNames, optionNames } from '../../base/option-names.ts';
import {
  type FilterEvent,
  type From,
  readSubscribeOptions,
} from '../../delivery/subscriptions/subscribe-options.ts';
import type { Reset } from '../../protocol/reset.ts';
import { isSignal } from '../producing/producer-options.ts';

/** An event as a listener receives it. */
export interface ListenEvent {
  /** The id of the event, as `publish` returned it. Undefined for the snapshot of a channel. */
  id: string | undefined;
  channel: string;
  /** The name of the event; undefined if it has none. */
  event: string | undefined;
  /** The key for compaction: the `key` of the event, else its name, else ''. */
  key: string;
  /** Whether it is a tombstone: see `gone` in {@link PublishFields}. */
  gone: boolean;
  /**
   * The data as it was published: text stays text, any other value is parsed from JSON. Each listener receives its own
   * copy.
   */
  data: unknown;
}

/**
 * The options of `hub.listen()`.
 *
 * @typeParam Event the argument of the filter.
 */
export interface ListenOptions<Event = FilterEvent> {
  /** Where the listener begins. Default: now; in a channel with state (`compact` or `snapshot`), with the state. */
  from?: From | undefined;
  /** Returns whether the listener receives an event. Default: all events. */
  filter?: ((event: Event) => boolean) | undefined;
  /** Closes the listener when it is aborted. Default: none. */
  signal?: AbortSignal | undefined;
  /**
   * Called when the listener has missed events, because it was too slow or the broker lost them. The argument is the
   * data that a page receives as a `reset` event. Called in order with the events, and awaited like the listener.
   * Default: none.
   */
  onReset?: ((reset: Reset) => unknown) | undefined;
}

const LISTEN_OPTIONS = optionNames<ListenOptions>({
  from: true,
  filter: true,
  signal: true,
  onReset: true,
});

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readListenOptions(options: ListenOptions = {}): ListenOptions {
  checkType('options', 'object', options);
  checkNames(options, LISTEN_OPTIONS);
  const { from, filter, signal, onReset } = options;
  if (signal !== undefined && !isSignal(signal)) throw invalid('signal', 'an AbortSignal', signal);
  checkType('onReset', 'function', onReset);
  return { from: readSubscribeOptions({ from, filter }).from, filter, signal, onReset };
}
