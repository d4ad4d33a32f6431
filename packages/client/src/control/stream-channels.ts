import { compare } from '../position.ts';

/** A channel that was added to a stream through the control route. */
export interface StreamChannel {
  /** The subscription begins after this id. '': it begins at `storedAt`. */
  since: string;
  /** The id at which the subscription takes effect. Undefined: the server has not stored it. */
  storedAt?: string | undefined;
  /** A backfill was in progress after the request was sent. */
  hasBackfill: boolean;
  /** The client has received all events of the channel up to the position of the stream. */
  isApplied: boolean;
  /** The server was asked to unsubscribe it. Earlier events may still arrive. */
  isRemoved: boolean;
}

/** The added channels of one stream, by name. Tabs that share a connection send them to each other. */
export type StreamChannels = Map<string, StreamChannel>;

/**
 * The channels that one tab follows, each with the id after which the tab needs events. Undefined: the tab has all
 * events up to the position of its stream.
 */
export type Wanted = Map<string, string | undefined>;

/** The id without the suffix of a backfill. The backfill of a stream does not apply to every channel. */
export const clean = (id: string) => id.replace(/~$/, '');

/** Sets the position after which a tab needs events of these channels. An earlier position stays. */
export function needAfter(wanted: Wanted, position: string, names: Iterable<string> = wanted.keys()): void {
  for (const name of names) wanted.set(name, wanted.get(name) ?? clean(position));
}

/** The channels that a stream lacks, each with the oldest position that a tab needs. '': no tab has a position. */
export function missingFrom(stream: StreamChannels, tabs: Iterable<Wanted>): Map<string, string> {
  const missing = new Map<string, string>();
  for (const wanted of tabs) {
    for (const [name, after = ''] of wanted) {
      const channel = stream.get(name);
      if (channel?.storedAt !== undefined && !channel.isRemoved) continue;
      const other = missing.get(name);
      if (!other || compare(after, other) < 0) missing.set(name, after);
    }
  }
  return missing;
}

/** Called when all events up to a position have arrived. Marks the subscriptions that have taken effect. */
export function advance(stream: StreamChannels, position: string): void {
  for (const channel of stream.values()) {
    const { storedAt, isRemoved } = channel;
    if (position.endsWith('~')) channel.hasBackfill = true;
    // Not at `storedAt` itself: the change may not have been applied, or older events may follow. An id whose order is
    // unknown (NaN) counts as later.
    else if (storedAt !== undefined && !isRemoved && !(compare(position, storedAt) < 1))
      channel.isApplied = true;
  }
}

/** Whether a subscription had taken effect when its stream was at a position, so that no older events follow. */
export const wasApplied = (channel: StreamChannel | undefined, position: string) =>
  channel?.isApplied && !(compare(position, channel.storedAt ?? '') < 1);

/**
 * Whether a tab has no gap if it continues with the next events of a stream.
 *
 * @param before the position after which they begin. Undefined: the tab has received all earlier events of the stream.
 */
export function covers(
  stream: StreamChannels,
  wanted: Wanted,
  position: string,
  before: string | undefined,
): boolean {
  return [...wanted].every(([name, after = clean(position)]) => {
    const channel = stream.get(name);
    // The channel will be requested later, after the position of this tab.
    if (!channel) return true;
    // The channel begins at an unknown position.
    if (channel.since === '' && after !== '') return false;
    const order = compare(after, channel.since);
    return before === undefined ? !(order < 0) : order >= 0 && compare(after, before) >= 0;
  });
}
