import { checkType, invalid, isObject, isWhole } from '../base/option-checks.ts';

/** Where a subscription begins. `now`: with what comes. `start`: with all there is. */
export type From = 'now' | 'start' | { last: number } | { after: string };

/** An event, as a filter sees it. */
export interface FilterEvent {
  channel: string;
  event: string | undefined;
  key: string | undefined;
  /** As it goes on the wire. */
  data: string;
}

export interface SubscribeOptions {
  /**
   * Default: after the last event that the client has seen, if it says which, else `now` (of a compacted channel: its
   * state). What the client has seen counts for what is subscribed to in the turn of the request, before the answer
   * begins. Whoever subscribes later says from where.
   */
  from?: From | undefined;
  /** Which events of the channels the stream gets. Default: all. */
  filter?: ((event: FilterEvent) => boolean) | undefined;
}

/** Shared by most subscriptions. */
const DEFAULTS: SubscribeOptions = {};

/**
 * Checks the options of a subscription, and gives them back in their simplest form.
 *
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function readSubscribeOptions(options: SubscribeOptions = DEFAULTS): SubscribeOptions {
  checkType('options', 'object', options);
  const { from, filter } = options;
  if (from !== undefined && from !== 'now' && from !== 'start' && !isPlace(from)) {
    throw invalid('from', "'now', 'start', { last: a count } or { after: an id }", from);
  }
  checkType('filter', 'function', filter);
  return isObject(from) && 'last' in from && from.last === 0 ? { from: 'now', filter } : options;
}

/** Whether it has either `last` or `after`, and that is right. */
function isPlace(from: object): boolean {
  if (!isObject(from) || 'last' in from === 'after' in from) return false;
  return 'last' in from ? isWhole(from.last) : 'after' in from && typeof from.after === 'string';
}
