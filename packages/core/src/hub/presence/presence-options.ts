import { bindContext } from '../../base/async-context.ts';
import { checkType, invalid, readDuration } from '../../base/option-checks.ts';
import { checkNames, optionNames } from '../../base/option-names.ts';
import type { Broker } from '../../log/broker/broker.ts';
import type { ChannelSettings } from '../../log/keep.ts';
import { nameOf } from '../../protocol/channel-name.ts';
import type { EventStream } from '../../stream/event-stream.ts';

/** How a hub keeps the list of the clients that are connected. */
export interface PresenceOptions<Data = unknown> {
  /**
   * The channel of the list. It is compacted, with a key for each client, and the hub publishes to it: `came` with
   * `{ client, data }` when the first stream of a client opens, in any process; `left` with `{ client }` when the last
   * one has closed. A page that follows it receives all clients that are here, then the changes.
   */
  channel: string;
  /**
   * ms for which a client stays in the list after its last stream has closed, so that a reload is no change. The clients
   * of a process that dies leave after about twice that, and after 7 s at least. Default: 5,000.
   */
  linger?: number | undefined;
  /**
   * Returns what the list has of a client besides its name: of the first stream that it opens. Default: `data` is left
   * out.
   */
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

/** How the channel is kept: every client once, and who has left for as long as a page may be away. */
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
