import { checkType, invalid, isObject, isWhole } from '../../base/option-checks.ts';
import { checkNames, optionNames } from '../../base/option-names.ts';

/**
 * Where a subscription begins.
 *
 * - `'now'`: with the events that are published from now on.
 * - `'start'`: with all events that the channel retains.
 * - `'state'`: with the channel's state (`compact` or `snapshot`), also when the client resumes.
 * - `{ last: n }`: with the last `n` events.
 * - `{ after: id }`: after an event.
 * - `{ since: id }`: this client cannot have followed the channel before this id (it was added to it then). If its
 *   Last-Event-ID is older, the subscription begins with the channel's state, or after `since` if it has none.
 */
export type From = 'now' | 'start' | 'state' | { last: number } | { after: string } | { since: string };

/** An event as a filter sees it. */
export interface FilterEvent {
  readonly channel: string;
  /** The name of the event; undefined if it has none. */
  readonly event: string | undefined;
  /** The key for compaction: its own, else its name, else ''. */
  readonly key: string;
  /**
   * The data as it was published: text stays text, any other value is parsed from JSON. It is parsed once for the
   * filters of all streams, so do not change it.
   */
  readonly data: unknown;
}

/**
 * The options of `stream.subscribe()`.
 *
 * @typeParam Stream the second argument of the filter.
 * @typeParam Event the first.
 */
export interface SubscribeOptions<Stream = unknown, Event = FilterEvent> {
  /**
   * Where the subscription begins. Default: after the client's Last-Event-ID if it sent one, else `'now'` (a channel
   * with state: its state). Last-Event-ID counts for the subscriptions made in the same tick as the stream's first one;
   * later ones begin at `'now'` by default.
   */
  from?: From | undefined;
  /**
   * Returns whether the stream, its second argument, receives an event. An event for which it throws is skipped for this
   * stream, and the error goes to `onError`. Default: all events.
   */
  filter?: ((event: Event, stream: Stream) => boolean) | undefined;
}

/** Those of one stream: its filter needs to be given the event alone. */
export type BoundOptions = SubscribeOptions<void>;

/** Shared by most subscriptions. */
export const DEFAULTS = {};

const SUBSCRIBE_OPTIONS = optionNames<SubscribeOptions>({
  from: true,
  filter: true,
});

/**
 * Checks the options of a subscription, and returns them in their simplest form.
 *
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function readSubscribeOptions<Stream>(
  options: SubscribeOptions<Stream> = DEFAULTS,
): SubscribeOptions<Stream> {
  checkType('options', 'object', options);
  checkNames(options, SUBSCRIBE_OPTIONS);
  const { from, filter } = options;
  if (from !== undefined && !isFrom(from)) {
    throw invalid(
      'from',
      "'now', 'start', 'state', { last: a count }, { after: an id } or { since: an id }",
      from,
    );
  }
  checkType('filter', 'function', filter);
  return isObject(from) && 'last' in from && from.last === 0 ? { from: 'now', filter } : options;
}

export function isFrom(from: unknown): from is From {
  if (from === 'now' || from === 'start' || from === 'state') return true;
  if (!isObject(from)) return false;
  const { last, after, since } = from as { last?: unknown; after?: unknown; since?: unknown };
  if (Number('last' in from) + Number('after' in from) + Number('since' in from) !== 1) return false;
  return isWhole(last) || typeof after === 'string' || typeof since === 'string';
}
