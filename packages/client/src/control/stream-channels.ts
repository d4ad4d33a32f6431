import { compare } from '../position.ts';

/** What a stream has of a channel that was added by the control route. */
export interface StreamChannel {
  /** The subscription begins after this id. '': when it is stored. */
  since: string;
  /** The id at which it takes effect. Undefined: the server has not stored it. */
  storedAt?: string | undefined;
  /** Older events have been on their way since it was sent. */
  hasBackfill: boolean;
  /** The stream has sent everything of the channel up to its own position. */
  isApplied: boolean;
  /** The server was asked to unsubscribe it. Events that were published before that may still arrive. */
  isRemoved: boolean;
}

/** Those of one stream, by name. Tabs that share a connection send it to each other. */
export type StreamChannels = Map<string, StreamChannel>;

/**
 * The channels that one tab follows, each with the id after which it needs events. Undefined: it has all up to the
 * position of its stream.
 */
export type Wanted = Map<string, string | undefined>;

/** The id without the mark of a backfill: what is older than the position may be on its way, but not of every channel. */
export const clean = (id: string) => id.replace(/~$/, '');

/** A tab needs of these channels what comes after a position, unless it lacks older events. */
export function hold(wanted: Wanted, position: string, names: Iterable<string> = wanted.keys()): void {
  for (const name of names) wanted.set(name, wanted.get(name) ?? clean(position));
}

/** The channels that a stream lacks, each with the oldest position that a tab asks for. '': none has a position. */
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

/** The stream has sent everything up to a position: which subscriptions have taken effect. */
export function advance(stream: StreamChannels, position: string): void {
  for (const channel of stream.values()) {
    const { storedAt, isRemoved } = channel;
    if (position.endsWith('~')) channel.hasBackfill = true;
    // At that position itself, the change may not have been made, or older events may follow. With ids of another server,
    // any other id is later.
    else if (storedAt !== undefined && !isRemoved && !(compare(position, storedAt) < 1))
      channel.isApplied = true;
  }
}

/** Whether a subscription had taken effect when its stream was at a position: nothing older comes after that. */
export const wasApplied = (channel: StreamChannel | undefined, position: string) =>
  channel?.isApplied && !(compare(position, channel.storedAt ?? '') < 1);

/**
 * Whether a tab that goes on with what a stream sends next has no gap.
 *
 * @param before where that begins. Undefined: the tab has received what the stream has sent so far.
 */
export function covers(
  stream: StreamChannels,
  wanted: Wanted,
  position: string,
  before: string | undefined,
): boolean {
  return [...wanted].every(([name, after = clean(position)]) => {
    const channel = stream.get(name);
    // It is asked for later, after the position of this tab.
    if (!channel) return true;
    // It begins now, wherever that is.
    if (channel.since === '' && after !== '') return false;
    const order = compare(after, channel.since);
    return before === undefined ? !(order < 0) : order >= 0 && compare(after, before) >= 0;
  });
}
