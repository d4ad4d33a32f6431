import { describe, expect, it } from 'vitest';
import { Meter } from '../src/hub/meter.ts';
import { Log } from '../src/log/log.ts';
import { nextTurn, Scheduler } from '../src/scheduler.ts';

const settings = {
  events: 100,
  bytes: 1e6,
  age: 60_000,
  compact: false,
  overflow: 'reset' as const,
  snapshot: undefined,
};

describe('the log', () => {
  it('takes room from the channel that was published to least recently', async () => {
    const log = new Log(() => settings, 1_000, new Scheduler(1_000), new Meter({}, () => {}));
    const publish = async (channel: string) => {
      log.append({ channel, kind: 'event', json: false, data: 'x' });
      await new Promise<void>(resolve => nextTurn(resolve));
    };
    for (const channel of ['a', 'b', 'a', 'c']) await publish(channel);
    expect(['a', 'b', 'c'].map(name => log.channels.find(name)?.history.size)).toEqual([2, undefined, 1]);
  });
});
