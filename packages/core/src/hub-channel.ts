import { show, TidingsError } from './errors.ts';
import type { EventStream } from './stream.ts';

/** A channel of a hub: a name for a sequence of events. It holds nothing; it may come and go. */
export interface Channel {
  readonly name: string;
  /** How many streams follow it on this node. */
  readonly subscriberCount: number;
  /** {@link Hub.publish}, to this channel. */
  publish(data: unknown, fields?: PublishFields): Promise<string>;
  /**
   * Says that nothing follows. A stream all of whose channels have ended closes once it has everything, and its
   * client is told not to come back.
   */
  end(): Promise<string>;
}

/** A channel, or the name of one. */
export type ChannelName = string | { readonly name: string };

export interface PublishFields {
  /** The name of the event. Default: none, which is `message` at the client. */
  event?: string | undefined;
  /** In a compacted channel: what it is the newest event of. Default: its name. */
  key?: string | undefined;
  /** In a compacted channel: the key is gone, and so is what was kept of it. */
  gone?: boolean | undefined;
  /** Everyone but this stream, or this client: a stream, its id, or a client. */
  except?: EventStream | string | undefined;
}

/** @throws {TidingsError} `invalid-option`: one of them has no name. */
export function namesOf(channels: ChannelName | readonly ChannelName[]): string[] {
  const list = Array.isArray(channels) ? channels : [channels];
  return list.map(channel => {
    const name: unknown = typeof channel === 'string' ? channel : channel?.name;
    if (typeof name !== 'string' || name === '') {
      throw new TidingsError('invalid-option', `a channel must be a name, or have one; got ${show(channel)}`);
    }
    return name;
  });
}
