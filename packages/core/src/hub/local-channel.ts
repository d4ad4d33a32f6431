import type { Log } from '../log/log.ts';
import type { Channel } from './hub-channel.ts';
import type { Listeners } from './listening/listeners.ts';
import { readPublished } from './publish-fields.ts';
import type { Publisher } from './publisher.ts';

/** What a channel needs of its hub. */
export interface ChannelHub extends Pick<Channel, 'state' | 'from' | 'stop'> {
  readonly log: Log;
  readonly publisher: Publisher;
  readonly listeners: Listeners;
}

/** Creates the object of a channel: its name, and the calls that it makes. */
export function createChannel<Name extends string>(
  name: Name,
  { log, publisher, listeners, state, from, stop }: ChannelHub,
): Channel<Record<string, unknown>, Name> {
  return {
    name,
    get subscriberCount() {
      const subscribers = log.channels.find(name)?.listeners.size ?? 0;
      // Those of `hub.listen()` are no streams.
      return subscribers && subscribers - listeners.countOf(name);
    },
    publish: (data, fields) => publisher.append(name, () => readPublished(data, fields)),
    end: () => publisher.appendMark(name, 'end'),
    begin: () => publisher.appendMark(name, 'begin'),
    state,
    from,
    stop,
  };
}
