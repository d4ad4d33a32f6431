import type { Channel } from './hub-channel.ts';
import type { HubParts } from './hub-parts.ts';
import { readChannelStats } from './observability/read-stats.ts';

/** Creates the object that `hub.channel()` returns. */
export function createChannel<Name extends string>(
  name: Name,
  { context, publisher, listeners, producers, messages, calls }: HubParts,
): Channel<Record<string, unknown>, Name> {
  return {
    name,
    get subscriberCount() {
      const subscribers = context.log.channels.find(name)?.listeners.size ?? 0;
      // Listeners of `hub.listen()` are not streams.
      return subscribers && subscribers - listeners.countOf(name);
    },
    publish: (data, fields) => publisher.publish(name, data, fields),
    end: () => publisher.appendMark(name, 'end'),
    begin: () => publisher.appendMark(name, 'begin'),
    state: () => calls.state(name),
    stats: () => readChannelStats(context.log, name),
    from(source, options) {
      // Connects to the broker, because another process may call `stop()`.
      void context.sync?.start();
      return producers.run(name, source, options);
    },
    stop() {
      producers.stop(name);
      return messages.send({ type: 'stop', channel: name });
    },
  };
}
