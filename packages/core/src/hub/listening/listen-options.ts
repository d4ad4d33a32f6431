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
  /** Its name; undefined if it has none. */
  event: string | undefined;
  /** The key for compaction: its own, else its name, else ''. */
  key: string;
  /** It deletes its key: see `gone` in {@link PublishFields}. */
  gone: boolean;
  /** As it was published: text, or what JSON gives back of anything else. A copy of the listener's own. */
  data: unknown;
}

/**
 * The options of `hub.listen()`.
 *
 * @typeParam Event the argument of the filter.
 */
export interface ListenOptions<Event = FilterEvent> {
  /** Where it begins. Default: now; in a channel with state (`compact` or `snapshot`), with the state. */
  from?: From | undefined;
  /** Returns whether the listener receives an event. Default: all events. */
  filter?: ((event: Event) => boolean) | undefined;
  /** Ends the listening when it is aborted. Default: none. */
  signal?: AbortSignal | undefined;
  /**
   * Called when events were lost that the listener has not received: it has read them too slowly, or the broker has lost
   * them. What a page receives as a `reset` event. In order with the events, and awaited like the listener. Default:
   * nothing is called.
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
