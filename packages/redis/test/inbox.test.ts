import type { Entry } from '@tidings/core';
import { describe, expect, it } from 'vitest';
import { Inbox } from '../src/inbox.ts';
import { createNames } from '../src/names.ts';

const names = createNames('hub', 'node');

function open() {
  const log: string[] = [];
  const state = { epoch: 'e', known: 0 };
  const inbox = new Inbox(
    {
      entries: list => log.push(...list.map(({ channel, position }: Entry) => `${channel} ${position}`)),
      seen: head => log.push(`seen ${head}`),
      lost: channels => log.push(`lost ${channels}`),
      broken() {},
      epoch() {},
      note() {},
    },
    names,
    state,
    { foreign: epoch => log.push(`foreign ${epoch}`), hole: () => log.push('hole') },
  );
  inbox.begin(['x', 'y']);
  inbox.finish('x', 0);
  inbox.finish('y', 0);
  inbox.release();
  const receive = (channel: string, previous: number, position: number, data = '', epoch = 'e') =>
    inbox.receive(names.on(channel), `${epoch} ${previous} ${position} ${data.length + 2}\ne\n${data}`);
  return { inbox, log, receive };
}

describe('the inbox', () => {
  it('drops what it has given before', () => {
    const { log, receive } = open();
    receive('x', 0, 1);
    receive('x', 0, 1);
    receive('x', 1, 2);
    expect(log).toEqual(['x 1', 'x 2']);
  });

  it('holds everything at a hole, in order, and goes on when what was missing is known', () => {
    const { inbox, log, receive } = open();
    receive('x', 1, 2);
    receive('y', 0, 3);
    receive('x', 2, 4);
    expect(log).toEqual(['hole']);
    expect([...inbox.holes]).toEqual([['x', 0]]);
    inbox.give([{ channel: 'x', position: 1, kind: 'event', data: '' }]);
    inbox.know(['x'], 1);
    inbox.release();
    expect(log).toEqual(['hole', 'x 1', 'x 2', 'y 3', 'x 4']);
  });

  it('says what is lost when it is too late to give it in its place', () => {
    const { log, receive } = open();
    receive('y', 0, 2);
    receive('x', 1, 3);
    expect(log).toEqual(['y 2', 'lost x', 'x 3']);
  });

  it('knows what it has given from the log, though reading the log was interrupted', () => {
    const { inbox, log, receive } = open();
    inbox.hold();
    inbox.give([{ channel: 'x', position: 1, kind: 'event', data: '' }]);
    inbox.cut();
    inbox.release();
    receive('x', 1, 2);
    expect(log).toEqual(['x 1', 'x 2']);
  });

  it('holds 8 MiB at most, and asks for the log when there was more', () => {
    const { inbox, log, receive } = open();
    inbox.hold();
    for (let position = 1; position <= 9; position++)
      receive('x', position - 1, position, 'x'.repeat(1024 * 1024));
    expect(inbox.hasOverflowed).toBe(true);
    inbox.release();
    expect(log).toEqual(['hole']);
    expect(inbox.isLive).toBe(false);
    // As the log is read.
    inbox.dropHeld();
    inbox.know(['x'], 9);
    inbox.advance(9);
    receive('x', 9, 10);
    inbox.release();
    expect(log).toEqual(['hole', 'seen 9', 'x 10']);
  });

  it('believes nothing of another epoch, and nothing that it cannot read', () => {
    const { inbox, log, receive } = open();
    receive('x', 0, 1, '', 'other');
    inbox.receive(names.on('x'), 'hello');
    inbox.receive(names.notes, 'hello');
    inbox.receive(names.node, 'hello');
    expect(log).toEqual(['foreign other']);
  });

  it('gives nothing of a channel that is being opened, and keeps what is after what was read of it', () => {
    const { inbox, log, receive } = open();
    inbox.begin(['z']);
    receive('z', 0, 1);
    inbox.collect(['z']);
    receive('z', 1, 2);
    expect(inbox.finish('z', 2).map(({ position }) => position)).toEqual([2]);
    receive('z', 2, 3);
    expect(log).toEqual(['z 3']);
  });
});
