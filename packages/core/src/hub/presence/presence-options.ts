import { bindContext } from '../../base/async-context.ts';
import { checkType, invalid, readDuration } from '../../base/option-checks.ts';
import { checkNames, optionNames } from '../../base/option-names.ts';
import type { Broker } from '../../log/broker/broker.ts';
import type { ChannelSettings } from '../../log/keep.ts';
import { nameOf } from '../../protocol/channel-name.ts';
import type { EventStream } from '../../stream/event-stream.ts';

/** The options of the list of connected clients. */
export interface PresenceOptions<Data = unknown> {
  /**
   * The channel of the list. It is compacted, with a key for each client. The hub publishes `came` with
   * `{ client, data }` when the first stream of a client opens in any process, and `left` with `{ client }` after the
   * last one has closed. A page that follows the channel receives the whole list, and then the changes.
   */
  channel: string;
  /**
   * ms for which a client stays in the list after its last stream has closed, so that a reload causes no event. The
   * clients of a killed process are removed after about twice this time, and after 7 s at the earliest. Default: 5,000.
   */
  linger?: number | undefined;
  /** Returns the data of a client in the list. Called with the first stream that the client opens. Default: no data. */
  data?: ((stream: EventStream<Data>) => unknown) | undefined;
}

/** The data of a `came` event. A `left` event has `client` only. */
export interface Presence<Data = unknown> {
  client: string;
  data?: Data;
}

/** {@link PresenceOptions} with every default filled in. */
export interface PresenceSettings {
  readonly channel: string;
  readonly linger: number;
  readonly data: ((stream: EventStream) => unknown) | undefined;
}

/**
 * The settings of the channel: it retains every client once, and tombstones for as long as a page may be disconnected.
 */
export const PRESENCE_CHANNEL: ChannelSettings = {
  events: 1_000_000,
  bytes: 64 * 1024 * 1024,
  age: 5 * 60_000,
  compact: true,
  overflow: 'reset',
  snapshot: undefined,
  flushInterval: 0,
};

const PRESENCE_OPTIONS = optionNames<PresenceOptions>({
  channel: true,
  linger: true,
  data: true,
});

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readPresence(
  presence: PresenceOptions | undefined,
  broker: Broker | undefined,
): PresenceSettings | undefined {
  checkType('presence', 'object', presence);
  if (presence === undefined) return undefined;
  checkNames(presence, PRESENCE_OPTIONS, 'presence.');
  const { linger, data } = presence;
  checkType('presence.data', 'function', data);
  if (broker !== undefined && broker.lease === undefined) {
    throw invalid('presence', 'left out: this broker has no `lease`', presence);
  }
  const channel = nameOf(presence.channel);
  const ms = readDuration('presence.linger', linger, 5_000);
  if (ms === Number.POSITIVE_INFINITY) throw invalid('presence.linger', 'a number of ms above 0', linger);
  return { channel, linger: ms, data: data && bindContext(data) };
}
