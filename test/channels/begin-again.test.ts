import { expect, it } from 'vitest';
import { open, quietHub, until } from '../support/memory-stream.ts';

it.each([
  ['from the start', { from: 'start' }],
  ['from the last events', { from: { last: 5 } }],
] as const)(
  'a subscription in the tick in which a channel begins again receives no earlier event, %s',
  async (_, options) => {
    const hub = quietHub();
    for (const round of [1, 2, 3]) {
      await hub.channel('a').begin();
      const { stream, data } = open(hub);
      hub.publish('a', round);
      stream.subscribe('a', options);
      await until(() => data().length > 0);
      hub.publish('a', 'last');
      await hub.channel('a').end();
      await stream.closed;
      expect(data()).toEqual([String(round), 'last']);
    }
  },
);
