import { setTimeout as pause } from 'node:timers/promises';
import type { Draft } from '@tidings/core';
import { expect } from 'vitest';
import { draft, type StartedBroker } from './recorder.ts';
import { soon } from './redis-setup.ts';

/** Large enough that nothing is trimmed. */
export const keep = { events: 100_000, bytes: 64 * 1024 * 1024, age: 300_000, compact: false };

/** Publishes until `stop`, which returns what was accepted. */
export function publishAlways(publisher: StartedBroker, channels: string[], size = 1) {
  let isOver = false;
  const accepted: [channel: string, data: string][] = [];
  const unknown: string[] = [];
  const done = (async () => {
    for (let count = 0; !isOver; count++) {
      const list: Draft[] = [];
      for (let index = 0; index < size; index++) {
        const channel = channels[(count + index) % channels.length] as string;
        list.push(draft(channel, `${count}.${index}`, { keep }));
      }
      await publisher.broker.publish(list, soon()).then(
        () => {
          for (const { channel, data } of list) accepted.push([channel, data]);
        },
        error => {
          if (error.code === 'maybe-stored') unknown.push(...list.map(({ data }) => data));
        },
      );
      await pause(1);
    }
  })();
  return {
    async stop() {
      isOver = true;
      await done;
      return { accepted, unknown };
    },
  };
}

/** Expects that a process was given every accepted entry of a channel, in order. */
export function expectAll(receiver: StartedBroker, accepted: [string, string][], channel: string): void {
  const expected = accepted.filter(([name]) => name === channel).map(([, data]) => data);
  expect(receiver.sink.data(channel)).toEqual(expected);
}
