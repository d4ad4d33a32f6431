import type { Entry } from '@tidings/core';
import { describe, expect, it } from 'vitest';
import { Names } from '../src/format.ts';
import { Sequencer } from '../src/sequencer.ts';

const names = new Names('hub', 'process');

function open() {
  const log: string[] = [];
  const state = { epoch: 'e', knownHead: 0 };
  const sequencer = new Sequencer(
    {
      entries: list => log.push(...list.map(({ channel, position }: Entry) => `${channel} ${position}`)),
      advanced: head => log.push(`advanced ${head}`),
      lost: channels => log.push(`lost ${channels}`),
      broken() {},
      restarted() {},
      connection() {},
      report() {},
    },
    names,
    state,
    { foreignEpoch: epoch => log.push(`foreign ${epoch}`), gap: () => log.push('gap') },
  );
  sequencer.startOpening(['x', 'y']);
  sequencer.finishOpening('x', 0);
  sequencer.finishOpening('y', 0);
  sequencer.resume();
  const receive = (channel: string, previous: number, position: number, data = '', epoch = 'e') =>
    sequencer.receive(
      names.entriesOf(channel),
      `${epoch} ${previous} ${position} ${data.length + 2}\ne\n${data}`,
    );
  return { sequencer, log, receive };
}

describe('the sequencer', () => {
  it('drops duplicates', () => {
    const { log, receive } = open();
    receive('x', 0, 1);
    receive('x', 0, 1);
    receive('x', 1, 2);
    expect(log).toEqual(['x 1', 'x 2']);
  });

  it('buffers from a gap on, and delivers in order once the gap is repaired', () => {
    const { sequencer, log, receive } = open();
    receive('x', 1, 2);
    receive('y', 0, 3);
    receive('x', 2, 4);
    expect(log).toEqual(['gap']);
    expect([...sequencer.gaps]).toEqual([['x', 0]]);
    sequencer.deliver([{ channel: 'x', position: 1, kind: 'event', json: false, data: '' }]);
    sequencer.markComplete(['x'], 1);
    sequencer.resume();
    expect(log).toEqual(['gap', 'x 1', 'x 2', 'y 3', 'x 4']);
  });

  it('reports a loss when newer entries have been delivered before the gap is found', () => {
    const { log, receive } = open();
    receive('y', 0, 2);
    receive('x', 1, 3);
    expect(log).toEqual(['y 2', 'lost x', 'x 3']);
  });

  it('does not repeat entries that it delivered from the log before the connection was lost', () => {
    const { sequencer, log, receive } = open();
    sequencer.pause();
    sequencer.deliver([{ channel: 'x', position: 1, kind: 'event', json: false, data: '' }]);
    sequencer.disconnect();
    sequencer.resume();
    receive('x', 1, 2);
    expect(log).toEqual(['x 1', 'x 2']);
  });

  it('buffers at most 8 MiB, and reads the log if there was more', () => {
    const { sequencer, log, receive } = open();
    sequencer.pause();
    for (let position = 1; position <= 9; position++)
      receive('x', position - 1, position, 'x'.repeat(1024 * 1024));
    expect(sequencer.hasOverflowed).toBe(true);
    sequencer.resume();
    expect(log).toEqual(['gap']);
    expect(sequencer.isLive).toBe(false);
    // The live feed reads the log.
    sequencer.discardBuffer();
    sequencer.markComplete(['x'], 9);
    sequencer.advance(9);
    receive('x', 9, 10);
    sequencer.resume();
    expect(log).toEqual(['gap', 'advanced 9', 'x 10']);
  });

  it('drops messages of another epoch, and malformed ones', () => {
    const { sequencer, log, receive } = open();
    receive('x', 0, 1, '', 'other');
    sequencer.receive(names.entriesOf('x'), 'hello');
    sequencer.receive(names.entriesOf('x'), 'e 0 1 9\ne[');
    expect(log).toEqual(['foreign other']);
  });

  it('keeps the messages of a channel that is being opened, from where it was read', () => {
    const { sequencer, log, receive } = open();
    sequencer.startOpening(['z']);
    receive('z', 0, 1);
    sequencer.startCollecting(['z']);
    receive('z', 1, 2);
    expect(sequencer.finishOpening('z', 2).map(({ position }) => position)).toEqual([2]);
    receive('z', 2, 3);
    expect(log).toEqual(['z 3']);
  });
});
